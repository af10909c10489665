"""The front door: from the command line to plain configuration.

Hydra reads conf/ and the `key=value` arguments. Added are: scenes of installed packages
are choices of `env=`, which takes several as `env=[one,other]`; `policy=` takes a path
or a hub id; and a mistake of the user is one message instead of a traceback.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from launching import interrupt
from launching.choices import find_conf, register_choices, spell

MISTAKES = (ValueError, FileNotFoundError, FileExistsError)

# Threads that spin while they wait starve the processes that simulate: on two busy
# cores a step took ten times as long. Threads that sleep at once have to be woken for
# each of many small products: sampling took 1.7 times as long. So they spin for some
# 500 us where that can be set (libgomp): for 50 us sampling and update took a fifth
# longer and a step 5 %, for 2.5 ms a step a tenth. Read once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "20000")


def launch(
    name: str,
    run: Callable[[DictConfig], None],
    *,
    policies: tuple[str, ...] = (),
    all_envs: bool = False,
    compares: bool = False,
    check: Callable[[DictConfig], object] = lambda config: None,
) -> None:
    """Runs a function with the configuration of conf/<name>.yaml.

    A mistake of the user is one line and exit code 2; what else fails, 1. What --help
    says of the command is the text at the beginning of the function's file.

    Args:
        name: The configuration's name.
        run: Gets the resolved configuration; hydra's part is left out.
        policies: Names that `policy=` takes beside files and paths.
        all_envs: Whether `env=` takes `all` beside scenes.
        compares: Whether `policy=` takes several, `[one,other]`.
        check: Gets the same before; refuses what cannot be without loading torch.
    """
    from launching.mistakes import explain_disk, refuse

    bound_products(sys.argv[1:])
    register_choices(policies, all_envs, compares)
    try:
        interrupt.answer()
        sys.argv[1:] = [part for arg in sys.argv[1:] for part in spell(arg)]
        _start(name, run, check)
    except _list_failures() as error:
        refuse(error, 1)
    except MISTAKES as error:
        refuse(error)
    except OSError as error:
        refuse(explain_disk(error), 1)
    except KeyboardInterrupt:
        refuse("stopped", 130)


def _start(
    name: str,
    run: Callable[[DictConfig], None],
    check: Callable[[DictConfig], object],
) -> None:
    """Tells how to call the command, or runs it; through Hydra if a flag is its own."""
    from launching.guide import describe
    from launching.mistakes import check_flags

    go, conf, words = partial(_run, run, check), str(find_conf()), sys.argv[1:]
    flagged, helps = check_flags(words), not {"--help", "-h"}.isdisjoint(words)
    if flagged and not helps:
        hydra.main(version_base="1.3", config_path=conf, config_name=name)(go)()
        return
    with hydra.initialize_config_dir(conf, version_base="1.3"):
        if helps:
            print(describe(name, str(inspect.getdoc(inspect.getmodule(run)))))
        else:
            go(_read(name))


def _read(name: str) -> DictConfig:
    """The configuration that the command line asks for; HydraConfig knows of it."""
    from launching.mistakes import drop_hydra, read_words

    config = read_words(name, find_conf(), sys.argv[1:])
    HydraConfig.instance().set_config(config)
    return drop_hydra(config)


def _run(
    run: Callable[[DictConfig], None],
    check: Callable[[DictConfig], object],
    config: DictConfig,
) -> None:
    """Checks a configuration, which loads no model, and runs what it is for."""
    from launching.checks import check_config

    OmegaConf.resolve(config)
    check_config(config)
    check(config)
    run(config)


def bound_products(arguments: Sequence[str]) -> None:
    """Keeps few compiled products, where bfloat16 may be used; before torch starts.

    They are compiled for each shape, and shapes of answers hardly repeat: with the
    usual 1,024 kept, memory grew by half a gigabyte in 20 steps. With 64 kept it stays;
    an update of the whole default policy takes a tenth longer, of adapters as long.
    """
    from policy.runtime.processor import read_processor

    if "algo.bf16=false" in arguments or not read_processor().bf16:
        return
    for cache in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        os.environ.setdefault(cache, "64")


def _list_failures() -> tuple[type[Exception], ...]:
    """What is no mistake in the command: of the machine, or of a scene's author."""
    from envs.cameras.gl import NoGL
    from envs.contract import NoUsableSample, SceneError

    return NoGL, NoUsableSample, SceneError
