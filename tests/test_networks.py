"""Networks: shapes, weights from seeds, users' own modules."""

import math
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from skdeepcluster import Autoencoder, DECClustering
from skdeepcluster._devices import autocast
from skdeepcluster._images import channel_axis
from skdeepcluster.networks import ConvAutoencoder, MLPAutoencoder, build


class Pair(nn.Module):
    """A user's network with attributes, randomness and a tensor outside its state."""

    def __init__(self, n_features, latent_dim):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(n_features, 8),
            nn.BatchNorm1d(8),
            nn.Dropout(0.2),
            nn.Linear(8, latent_dim),
        )
        self.decoder = nn.Linear(latent_dim, n_features)


class Images(nn.Module):
    """A user's network with methods, which takes images."""

    def __init__(self, n_features, latent_dim):
        super().__init__()
        self.down = nn.Conv2d(1, 2, 8)
        self.up = nn.Linear(latent_dim, n_features)
        self.factor = torch.full((), 2.0)

    def encode(self, x):
        assert x.shape[1:] == (1, 8, 8)
        return self.factor * self.down(x).flatten(1)

    def decode(self, z):
        return self.up(z).reshape(-1, 1, 8, 8)


def images(**settings):
    return Autoencoder(
        latent_dim=2, network=Images, image_shape=(1, 8, 8), max_epochs=2, **settings
    )


def pair(**settings):
    return Autoencoder(latent_dim=3, network=Pair, max_epochs=2, **settings)


def conv(**settings):
    return Autoencoder(latent_dim=3, network="conv", max_epochs=1, **settings)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 12), (1, 28, 28), (2, 11, 8)])
def test_conv_restores_any_image_size(shape):
    module = build(ConvAutoencoder, 0, image_shape=shape, latent_dim=4)
    x = torch.rand(2, np.prod(shape), generator=torch.Generator().manual_seed(0))
    z = module.encode(x)
    assert z.shape == (2, 4)
    assert module.decode(z).shape == x.shape
    channels = [
        layer.out_channels for layer in module.encoder if isinstance(layer, nn.Conv2d)
    ]
    assert channels == [32, 64, 128]


@pytest.mark.parametrize(
    ("network", "config"),
    [
        (MLPAutoencoder, {"n_features": 9, "hidden_units": (4,), "latent_dim": 2}),
        (ConvAutoencoder, {"image_shape": (1, 8, 8), "latent_dim": 2}),
    ],
)
def test_weights_are_drawn_as_torch_draws_them_from_the_seed_alone(network, config):
    state = torch.get_rng_state()
    first, again, other = (build(network, seed, **config) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    own = network(**config).state_dict()
    for name, value in first.named_parameters():
        assert torch.equal(value, again.state_dict()[name])
        if value.numel() > 200:
            assert not torch.equal(value, other.state_dict()[name])
            assert value.std().item() == pytest.approx(own[name].std().item(), rel=0.2)
    torch.set_rng_state(state)


def test_hidden_then_project_is_encode():
    x = torch.rand(5, 64, generator=torch.Generator().manual_seed(0))
    for network, config in [
        (MLPAutoencoder, {"n_features": 64, "hidden_units": (7, 5)}),
        (MLPAutoencoder, {"n_features": 64, "hidden_units": ()}),
        (ConvAutoencoder, {"image_shape": (1, 8, 8)}),
    ]:
        module = build(network, 0, latent_dim=3, **config)
        hidden = module.hidden(x)
        assert hidden.shape == (5, module.n_hidden)
        torch.testing.assert_close(module.project(hidden), module.encode(x))


@pytest.mark.parametrize("make", [conv, pair, images])
def test_other_networks_in_an_autoencoder(digits, make):
    X = digits[:300]
    state = torch.get_rng_state()
    encoder = make(random_state=0).fit(X)
    Z = encoder.transform(X)
    assert np.array_equal(Z, make(random_state=0).fit(X).transform(X))
    assert not np.array_equal(Z, make(random_state=1).fit(X).transform(X))
    assert torch.equal(torch.get_rng_state(), state)
    assert encoder.inverse_transform(Z).shape == X.shape
    copied = pickle.loads(pickle.dumps(encoder))
    assert np.array_equal(copied.transform(X), Z)
    assert np.array_equal(copied.inverse_transform(Z), encoder.inverse_transform(Z))


@pytest.mark.parametrize("make", [conv, pair])
def test_rows_do_not_depend_on_their_neighbours(digits, make):
    X = digits[:300]
    encoder = make(random_state=0).fit(X)
    Z = encoder.transform(X)
    for count in (1, 2, 31, 33):
        assert np.array_equal(encoder.transform(X[:count]), Z[:count])
    assert np.array_equal(encoder.transform(np.tile(X, (5, 1)))[-300:], Z)


def test_conv_learns(digits):
    X = digits[:300]
    short, long = (
        conv(batch_size=32, random_state=0).set_params(max_epochs=n).fit(X).score(X)
        for n in (1, 10)
    )
    assert long > 0.7 * short


def test_joint_training_of_a_users_network(digits):
    dec = DECClustering(3, encoder=pair(), max_epochs=2, random_state=0)
    labels = dec.fit_predict(digits)
    assert np.array_equal(dec.predict(digits), labels)
    assert np.array_equal(dec.fit_predict(digits), labels)


class Nothing(nn.Module):
    def __init__(self, n_features, latent_dim):
        super().__init__()


class Wide(Pair):
    def __init__(self, n_features, latent_dim):
        super().__init__(n_features, latent_dim + 1)


class Short(Pair):
    def __init__(self, n_features, latent_dim):
        super().__init__(n_features, latent_dim)
        self.decoder = nn.Linear(latent_dim, n_features - 1)


def number(n_features, latent_dim):
    return 3


class Positional(Pair):
    def __init__(self, n_inputs, n_outputs):
        super().__init__(n_inputs, n_outputs)


class Posterior(Pair):
    def encode(self, x):
        z = self.encoder(x)
        return z, z

    def decode(self, z):
        return self.decoder(z)


class Listing(Pair):
    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return [self.decoder(z)]


class Broken(Pair):
    def __init__(self, n_features, latent_dim):
        raise TypeError("my own mistake")


class HalfAMethod(Pair):
    """Its encode is for something else: the pair of attributes is complete."""

    def encode(self, x, extra):
        raise AssertionError


def test_halves_come_from_one_pair(digits):
    model = Autoencoder(latent_dim=3, network=HalfAMethod, max_epochs=1)
    model.fit(digits[:100])
    same = Autoencoder(latent_dim=3, network=Pair, max_epochs=1, random_state=0)
    Z = model.set_params(random_state=0).fit(digits[:100]).transform(digits)
    assert np.array_equal(Z, same.fit(digits[:100]).transform(digits))


@pytest.mark.parametrize(
    ("settings", "error", "match"),
    [
        ({"network": Nothing}, TypeError, "network=Nothing .* encode"),
        ({"network": number}, TypeError, "network=number returned int"),
        ({"network": Pair(64, 3)}, TypeError, "give its class"),
        ({"network": Positional}, TypeError, "keywords n_features and latent_dim"),
        ({"network": Broken}, TypeError, "^my own mistake"),
        ({"network": Posterior}, TypeError, "encoder of .*Posterior returned tuple"),
        ({"network": Listing}, TypeError, "decoder of .*Listing returned list"),
        ({"network": Wide}, ValueError, r"encoder of network=Wide .* \(2, 4\)"),
        ({"network": Short}, ValueError, r"decoder of network=Short .* \(2, 63\)"),
        ({"network": "cnn"}, ValueError, "'network' parameter"),
        ({"network": "conv", "image_shape": (1, 8, 9)}, ValueError, "image_shape"),
        ({"network": "conv", "image_shape": (8, 9)}, ValueError, "image_shape"),
        ({"network": "conv", "image_shape": (64,)}, ValueError, "image_shape"),
        ({"network": "conv", "image_shape": (4, 4, 4)}, ValueError, "may be .channels"),
        ({"network": "conv", "image_shape": (4, 16, 1)}, ValueError, "may be .channel"),
        ({"network": "conv", "image_shape": 8}, ValueError, "image_shape"),
        ({"network": Images, "image_shape": (2, 8, 8)}, ValueError, "image_shape"),
    ],
)
def test_unusable_networks_are_refused_before_training(digits, settings, error, match):
    with pytest.raises(error, match=match):
        Autoencoder(latent_dim=3, max_epochs=10**9, **settings).fit(digits)


def test_rows_that_are_no_square_image(digits):
    with pytest.raises(ValueError, match="image_shape: 63 columns"):
        conv().fit(digits[:, :63])
    with pytest.raises(ValueError, match="image_shape: 63 columns"):
        DECClustering(3, encoder=conv()).fit(digits[:, :63])
    assert conv(image_shape=(1, 7, 9)).fit(digits[:, :63]).transform(
        digits[:2, :63]
    ).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [("network", "mlp"), ("image_shape", (1, 4, 16)), ("latent_dim", 4)],
)
def test_a_fitted_autoencoder_that_names_another_network_is_refused(
    digits, name, value
):
    X = digits[:300]
    encoder = conv(random_state=0).fit(X)
    dec = DECClustering(3, encoder=encoder, init="k-means", max_epochs=0).fit(X)
    encoder.set_params(**{name: value})
    with pytest.raises(ValueError, match=rf"fitted with {name}=.* with {name}="):
        dec.fit(X)


# images


def test_channels_are_found_at_either_end():
    for shape in [(3, 32, 32), (1, 9, 5), (4, 30, 20), (13, 8, 8), (1, 4, 4)]:
        assert channel_axis(shape) == 0
        assert channel_axis(shape[1:] + shape[:1]) == 2
    for shape in [(3, 32, 3), (3, 3, 3), (13, 8, 9), (1, 30, 3)]:
        with pytest.raises(ValueError, match=r"may be .channels, height, width. or"):
            channel_axis(shape)


def test_either_order_of_colours_is_the_same_network():
    rng = np.random.default_rng(0)
    last = rng.random((40, 9, 8, 3)).astype(np.float32)
    first = np.ascontiguousarray(np.moveaxis(last, -1, 1))
    settings = {"network": "conv", "latent_dim": 3, "max_epochs": 2, "random_state": 0}
    one = Autoencoder(image_shape=(9, 8, 3), **settings).fit(last.reshape(40, -1))
    other = Autoencoder(image_shape=(3, 9, 8), **settings).fit(first.reshape(40, -1))
    convolution = one.module_.encoder[2]
    assert convolution.weight.shape[:2] == (32, 3)
    Z = one.transform(last.reshape(40, -1))
    np.testing.assert_allclose(Z, other.transform(first.reshape(40, -1)), atol=1e-4)
    back = one.inverse_transform(Z).reshape(last.shape)
    expected = other.inverse_transform(Z).reshape(first.shape)
    np.testing.assert_allclose(back, np.moveaxis(expected, 1, -1), atol=1e-4)
    again = pickle.loads(pickle.dumps(one))
    assert np.array_equal(again.transform(last.reshape(40, -1)), Z)
    alone = [one.transform(row[None].reshape(1, -1))[0] for row in last[:3]]
    assert np.array_equal(alone, Z[:3])


@pytest.mark.parametrize(
    "size", [(9, 8), (8, 9), (20, 4), (14, 2), (2, 14), (9, 1), (1, 1), (2, 2), (8, 8)]
)
def test_narrow_images_in_bf16(size):
    model = Autoencoder(network="conv", image_shape=size, latent_dim=3, max_epochs=0)
    X = np.random.default_rng(0).normal(size=(64, math.prod(size)))
    module = model.set_params(random_state=0).fit(X.astype(np.float32)).module_
    gradients = []
    for precision in ("float32", "bf16"):
        module.zero_grad()
        with autocast("cpu", precision):
            rows, z, reconstruction = module(torch.from_numpy(X).float())
        (z.sum() + (rows - reconstruction).square().sum()).backward()
        gradients.append([p.grad.clone() for p in module.parameters()])
    for exact, rounded in zip(*gradients, strict=True):
        apart = torch.linalg.norm(exact - rounded) / torch.linalg.norm(exact)
        # Rounding alone comes to .2 where gradients of rows nearly cancel.
        assert apart < 0.4


def test_grey_images_without_channels(digits):
    flat = conv(image_shape=(8, 8), random_state=0).fit(digits)
    same = conv(image_shape=(1, 8, 8), random_state=0).fit(digits)
    assert np.array_equal(flat.transform(digits), same.transform(digits))
    assert flat.module_.config["image_shape"] == (1, 8, 8)


@pytest.mark.parametrize("shape", [(8, 8), (4, 4, 4)])
def test_images_that_are_no_rows_are_told_how_to_be(digits, shape):
    images = digits[:30].reshape(-1, *shape)
    for estimator in (conv(), DECClustering(3, encoder=conv())):
        with pytest.raises(ValueError, match=r"X\.reshape\(len\(X\), -1\)") as caught:
            estimator.fit(images)
        assert f"image_shape={shape}" in str(caught.value)
