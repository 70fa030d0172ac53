"""Reload of models without a restart."""

import asyncio
import signal
import threading
from types import FrameType

from anyio.to_thread import run_sync

from app.api.service import Service
from app.inference.models.store import Changes, ModelStore, compare
from app.observability.logs import get_logger
from app.observability.metrics import BROKEN, FAILED, OK
from app.serving.supervisor import ask_supervisor_to_reload, terminal_closed

log = get_logger("app")


async def reload_all_workers(service: Service) -> Changes:
    """Reload the models like `reload_models`, then ask the other workers to follow within a second or two."""
    changes = await reload_models(service)
    if service.settings.workers > 1:
        ask_supervisor_to_reload()
    return changes


async def reload_models(service: Service) -> Changes:
    """Load and test a new model store, then replace the current one.

    Open requests finish with the models that they started with. Concurrent reloads run one after the other.

    Raises:
        OSError: if the model store cannot be read; nothing has changed.
    """
    settings = service.settings
    async with service.reloading:
        before = service.store

        def load() -> ModelStore:
            # Raises if the folder is missing; ModelStore would take it for an empty one.
            next(settings.model_store.iterdir(), None)
            return ModelStore(
                settings.model_store,
                settings.default_model,
                settings.model_sha256,
                before=before,
                is_stopping=service.stopping.is_set,
            )

        try:
            service.store = await run_sync(load)
        except Exception:
            service.metrics.count_reload(FAILED)
            raise
        log.info("models reloaded")
        changes = show_changes(service, before)
        service.metrics.count_reload(BROKEN if changes.broken else OK)
        return changes


def show_changes(service: Service, before: ModelStore | None) -> Changes:
    """Update the metrics, and log each model that was loaded, dropped or could not be loaded; return these changes."""
    store = service.store
    service.metrics.begin_with(store.models)
    service.metrics.ready.set(store.default_model in store.models and not service.stopping.is_set())
    changes = compare(before, store)
    for stored in changes.loaded:
        log.info("model loaded", model=stored.name, version=stored.version, providers=stored.model.providers)
    for stored in changes.dropped:
        log.info("model dropped", model=stored.name, version=stored.version)
    for broken in changes.broken:
        which = {"model": broken.name, "version": broken.version}
        log.error("model broken", **which, reason=broken.reason, kept=broken.kept)
    if store.default_model not in store.models:
        log.error("not ready: the default model is not loaded", model=store.default_model)
    return changes


def reload_on_sighup(service: Service) -> None:
    """On SIGHUP, reload the models; if the terminal was closed, stop as on SIGTERM."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGHUP"):
        return  # only the main thread may handle signals; tests start the application in others
    loop = asyncio.get_running_loop()

    async def reload() -> None:
        try:
            await reload_models(service)
        except Exception:
            log.exception("reload failed: the models are unchanged")

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if terminal_closed():
            signal.raise_signal(signal.SIGTERM)
        else:
            asyncio.run_coroutine_threadsafe(reload(), loop)

    signal.signal(signal.SIGHUP, on_signal)
