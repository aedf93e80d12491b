"""Networks: shapes, weights from seeds, users' own modules."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from skdeepcluster import Autoencoder, DECClustering
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
    dec = DECClustering(3, autoencoder=pair(), max_epochs=2, random_state=0)
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
        ({"network": "conv", "image_shape": (8, 8)}, ValueError, "image_shape"),
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
        DECClustering(3, autoencoder=conv()).fit(digits[:, :63])
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
    encoder = conv(random_state=0).fit(digits)
    DECClustering(3, autoencoder=encoder, max_epochs=0).fit(digits)
    encoder.set_params(**{name: value})
    with pytest.raises(ValueError, match=rf"fitted with {name}=.* with {name}="):
        DECClustering(3, autoencoder=encoder).fit(digits)
