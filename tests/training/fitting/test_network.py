"""The optimiser of the trainings."""

import keras
import numpy as np
import pytest

from training.fitting.config import resolve_config
from training.fitting.network import compile_network
from training.fitting.schedules import OneCycle


def test_the_optimiser_takes_the_steps_of_adamw() -> None:
    options = {"width": 16, "height": 32, "epochs": 3, "weight_decay": 0.1, "averaging": 0.9}
    config = resolve_config(8, options)
    inputs = keras.Input((4,))
    network = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(3)(inputs)))
    networks = [network, keras.models.clone_model(network)]
    networks[1].set_weights(networks[0].get_weights())
    compile_network(networks[0], config, steps_per_epoch=2)
    rate = OneCycle(config.learning_rate, 6)
    reference = keras.optimizers.AdamW(rate, weight_decay=0.1, use_ema=True, ema_momentum=0.9)
    reference.build(networks[1].trainable_variables)
    rng = np.random.default_rng(0)
    for _ in range(6):
        gradients = [rng.normal(size=one.shape).astype(np.float32) for one in networks[0].trainable_variables]
        for network, optimizer in zip(networks, (networks[0].optimizer, reference), strict=True):
            optimizer.apply([keras.ops.convert_to_tensor(one) for one in gradients], network.trainable_variables)
    ours = [*networks[0].variables, *networks[0].optimizer.variables]
    for one, other in zip(ours, [*networks[1].variables, *reference.variables], strict=True):
        assert np.array(one) == pytest.approx(np.array(other), abs=1e-7)
