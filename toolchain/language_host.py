"""The Python language host: how the Pulumi engine runs this project's Python program.

Pulumi's own host comes with its releases and is on no package registry. This one answers the engine's language protocol
for machines that have only registries. The engine starts it with its own address as the last argument, reads a port
from its first line of output, and calls `Run` there.

The program runs inside this very process, in the main thread: `pulumi` is imported once, not once for the host and once
for the program. A second `Run`, or a `virtualenv` in Pulumi.yaml that is not the one this process runs in, gets a child
process of its own, so that no run sees the modules of another.

It is one file, because the engine starts it without this project on its module path.

Left out, and said so when asked for: other package managers than pip, the type checker option, the debugger, code
generation and providers written in Python as plugins. Plugins a program needs are not listed up front; the engine asks
for each one when the first resource of it is registered.

Errors: a program's exception is shown once, from the program's first line on; a `pulumi.RunError` is shown as its
message alone; both end the run as already explained, so that the engine adds nothing.
"""

# ruff: noqa: N802, ARG002, D102 - the engine names the calls and gives each a context; the protocol documents them.
from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
import queue
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import grpc
import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime.proto import (
    LanguageRuntimeServicer,
    add_LanguageRuntimeServicer_to_server,
    language_pb2,
    plugin_pb2,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

RUN_CHILD = "--run"
"""First argument of the child process: the second is the descriptor that the answer is written to."""

WATCH_SECONDS = 0.5
"""How often the host looks whether the engine is still its parent."""

GRACE_SECONDS = 5
"""How long an interrupted program may take to end. The same as Pulumi's own host gives."""

CHANNEL_OPTIONS = [("grpc.max_receive_message_length", 400 * 1024 * 1024)]
"""As the SDK's own channels."""


def main(arguments: list[str]) -> NoReturn:
    """Serve the engine whose address is the last argument, until it ends this process or dies."""
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()
    if arguments[0] == RUN_CHILD:
        _run_as_child(int(arguments[1]), engine=arguments[-1])
    host = LanguageHost(engine=arguments[-1])
    signal.signal(signal.SIGINT, host.interrupted)
    server = grpc.server(ThreadPoolExecutor(max_workers=8), options=CHANNEL_OPTIONS)
    add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # noqa: T201 - the first line of output is the protocol
    with suppress(KeyboardInterrupt):
        host.work()
    os._exit(0)


def _exit_with_parent(parent: int) -> NoReturn:
    """End at once when the engine is gone, however it went: nobody could use what this process would still do."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


class LanguageHost(LanguageRuntimeServicer):
    """Answers the engine. gRPC calls come in on its own threads; `work` runs the program in the main thread."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[tuple[language_pb2.RunRequest, Future[language_pb2.RunResponse]]] = (
            queue.SimpleQueue()
        )
        self._main_thread = threading.get_ident()
        self._running = False
        self._used = False
        self._child: subprocess.Popen[bytes] | None = None

    def work(self) -> NoReturn:
        """Run what `Run` hands over, one at a time."""
        while True:
            request, answer = self._jobs.get()
            self._running = True
            result = run_program(request, self._engine)
            self._running = False
            answer.set_result(result)

    def interrupted(self, number: int, frame: FrameType | None) -> None:
        """What SIGINT does: interrupt the program the first time; end this process at once the second, or without one.

        The engine sends it to every plugin when its own work is done, and waits for the plugin's end.
        """
        if self._running:
            self._running = False
            signal.default_int_handler(number, frame)
        os._exit(0)

    # The engine's calls, by the names of the protocol.

    def Handshake(
        self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def GetRequiredPlugins(
        self, request: language_pb2.GetRequiredPluginsRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPluginsResponse:
        return language_pb2.GetRequiredPluginsResponse()

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        return language_pb2.GetRequiredPackagesResponse()

    def About(self, request: language_pb2.AboutRequest, context: grpc.ServicerContext) -> language_pb2.AboutResponse:
        return language_pb2.AboutResponse(executable=sys.executable, version=".".join(map(str, sys.version_info[:3])))

    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        found = sorted((each.name, each.version) for each in importlib.metadata.distributions())
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=name, version=version) for name, version in found]
        )

    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        requirements = Path(request.info.program_directory, "requirements.txt")
        if not requirements.is_file():
            return
        python = _python_of(request.info) or sys.executable
        command = [python, "-m", "pip", "install", "--disable-pip-version-check", "-r", str(requirements)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as pip:
            for line in pip.stdout or ():
                yield language_pb2.InstallDependenciesResponse(stdout=line)
        if pip.returncode:
            context.abort(grpc.StatusCode.UNKNOWN, f"pip install -r {requirements} ended with {pip.returncode}")

    def Run(self, request: language_pb2.RunRequest, context: grpc.ServicerContext) -> language_pb2.RunResponse:
        if problem := _unsupported(request):
            return language_pb2.RunResponse(error=problem)
        python = _python_of(request.info)
        if python is not None and not Path(python).is_file():
            return language_pb2.RunResponse(
                error=f"runtime.options.virtualenv: there is no {python}; `python3 -m kitestacks venv` makes it"
            )
        if self._used or (python is not None and Path(python).parent.parent.resolve() != Path(sys.prefix).resolve()):
            return self._run_in_child(request, python or sys.executable)
        self._used = True
        answer: Future[language_pb2.RunResponse] = Future()
        self._jobs.put((request, answer))
        return answer.result()

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        if self._child is not None:
            self._child.send_signal(signal.SIGINT)
        if self._running:
            signal.pthread_kill(self._main_thread, signal.SIGINT)
            threading.Timer(GRACE_SECONDS, os._exit, args=(1,)).start()
        return empty_pb2.Empty()

    def _run_in_child(self, request: language_pb2.RunRequest, python: str) -> language_pb2.RunResponse:
        answer, write = os.pipe()
        command = [python, "-P", __file__, RUN_CHILD, str(write), self._engine]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[write])
        os.close(write)
        with self._child as child, os.fdopen(answer, "rb") as pipe:
            child.communicate(request.SerializeToString())
            data = pipe.read()
        if not data:
            return language_pb2.RunResponse(error=f"the program's process ended with status {child.returncode}")
        return language_pb2.RunResponse.FromString(data[1:])


def _run_as_child(descriptor: int, engine: str) -> NoReturn:
    request = language_pb2.RunRequest.FromString(sys.stdin.buffer.read())
    answer = run_program(request, engine)
    with os.fdopen(descriptor, "wb") as pipe:
        # An answer without any field set is no bytes at all: the first byte tells it from a dead process.
        pipe.write(b"\n" + answer.SerializeToString())
    os._exit(0)


def _python_of(info: language_pb2.ProgramInfo) -> str | None:
    """The interpreter of the `virtualenv` option, which is relative to the folder of Pulumi.yaml; None without one."""
    option = dict(info.options).get("virtualenv")
    return str(Path(info.root_directory, str(option), "bin", "python")) if option else None


def _unsupported(request: language_pb2.RunRequest) -> str | None:
    options = dict(request.info.options)
    if options.get("toolchain", "pip") != "pip":
        return f"runtime.options.toolchain: this language host knows pip only, got {options['toolchain']!r}"
    if options.get("typechecker"):
        return "runtime.options.typechecker: this language host runs no type checker; take the option out"
    if request.attach_debugger:
        return "--attach-debugger: this language host has no debugger; Pulumi's own installer brings one that has"
    return None


def run_program(request: language_pb2.RunRequest, engine: str) -> language_pb2.RunResponse:
    """Run the program of a `Run` request in this thread and tell how it ended.

    Args:
        request: The engine's `RunRequest`.
        engine: The engine's address, for log messages.

    Returns:
        A `RunResponse`: empty when all went well; `bail` when it failed and the reason was shown; `error` when the
        program ended its process with a status of its own.
    """
    executor = ThreadPoolExecutor(max_workers=max(request.parallel, 1) * 4)
    try:
        answer = _run(request, engine, executor)
        executor.shutdown(wait=True)
    except KeyboardInterrupt:
        # Calls to the engine that are still under way may never return: nothing waits for them.
        executor.shutdown(wait=False, cancel_futures=True)
        return language_pb2.RunResponse(bail=True)
    else:
        return answer
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _run(request: language_pb2.RunRequest, engine: str, executor: ThreadPoolExecutor) -> language_pb2.RunResponse:
    os.chdir(request.pwd)
    program = Path(request.info.program_directory or request.pwd, request.info.entry_point or request.program)
    folder = program if program.is_dir() else program.parent
    sys.path.insert(0, str(folder.resolve()))
    sys.argv = [str(program), *request.args]
    _configure(request, engine)
    # Whatever a failed run leaves unfinished is no news to its user.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(executor)
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(lambda: _execute(program)))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return language_pb2.RunResponse(bail=True)
    except SystemExit as ended:
        return language_pb2.RunResponse(error=_status(ended))
    except Exception as error:  # noqa: BLE001 - a user's program may raise anything; it is shown, not swallowed
        pulumi.log.error("Program failed with an unhandled exception:\n" + user_traceback(error, folder))
        return language_pb2.RunResponse(bail=True)
    return language_pb2.RunResponse()


def _configure(request: language_pb2.RunRequest, engine: str) -> None:
    pulumi.runtime.set_all_config(dict(request.config), list(request.configSecretKeys))
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=request.monitor_address,
            engine=engine,
            project=request.project,
            stack=request.stack,
            parallel=request.parallel,
            dry_run=request.dryRun,
            organization=request.organization,
            root_directory=request.info.root_directory,
        )
    )


def _execute(program: Path) -> None:
    if program.is_dir() and not (program / "__main__.py").is_file():
        raise pulumi.RunError(f"there is no program: {program.resolve() / '__main__.py'} does not exist")
    runpy.run_path(str(program), run_name="__main__")


def _status(ended: SystemExit) -> str:
    """What `sys.exit(...)` in a program says to the engine: nothing for success, else the status or the message."""
    if ended.code is None or ended.code == 0:
        return ""
    if isinstance(ended.code, int):
        return f"program exited with non-zero exit code: {ended.code}"
    return str(ended.code)


def user_traceback(error: BaseException, folder: Path) -> str:
    """The traceback from the first line of the user's own program on; the way there through this host is left out."""
    start = error.__traceback__
    while start is not None and not _is_users(start.tb_frame.f_code.co_filename, folder):
        start = start.tb_next
    if start is None and isinstance(error, SyntaxError):
        return "".join(traceback.format_exception_only(error))
    return "".join(traceback.format_exception(type(error), error, start or error.__traceback__))


def _is_users(filename: str, folder: Path) -> bool:
    """Whether a file is the user's own: in the program's folder, but not of its virtual environment or this host."""
    if filename.startswith("<"):
        return False
    file = Path(filename).resolve()
    return file.is_relative_to(folder.resolve()) and not file.is_relative_to(sys.prefix) and file != Path(__file__)


if __name__ == "__main__":
    main(sys.argv[1:])
