/** Commands beside a container's own: a part of the border to the addon; mirrors `crates/engine/src/exec.rs`. */
import type {ContainerEvent, StdioRequest, TerminalSize} from '../native';

/** What `exec` was told. Absent keys are as the container has them. */
export interface ExecRequest {
  /** Name, id or the beginning of one id alone. */
  reference: string;
  /** Program and arguments. */
  command: string[];
  /** `KEY=value`, over the container's own; later ones win. */
  env?: string[];
  cwd?: string;
  /** `name|uid[:group|gid]`. */
  user?: string;
  /** All capabilities that the container's namespaces can give, no seccomp, no AppArmor, no no_new_privs. */
  privileged?: boolean;
  /** Capabilities to add, with or without `CAP_`, or `ALL`. */
  capAdd?: string[];
  interactive?: boolean;
  /** A terminal of its own. */
  tty?: boolean;
  /** The size that the new terminal has before the command starts. */
  terminalSize?: TerminalSize;
  /** TERM for a command with a terminal. */
  term?: string;
  /** Default: the caller's fds 0-2. */
  stdio?: StdioRequest;
  /** The command ends when whoever started it is gone. Default: it lives on, and its output is thrown away. */
  tied?: boolean;
}

export interface ExecStarted {
  /** The container's id. */
  id: string;
  /** The container's name. */
  name: string;
  /** The command, as the host counts. */
  pid: number;
  /** Our ends of its pipes; the receiver owns and closes them. -1 where there is none. */
  stdio: [number, number, number];
  /** Names this command in `signal`, `resize` and `attach`. */
  handle: number;
}

export interface ExecNative {
  /** Starts a command in a running container, on the caller's stdio; then `attach(handle)` becomes its client. */
  execPrepare(request: ExecRequest): ExecStarted;
  /** Starts one without a client, on /dev/null. Returns once it runs. */
  execDetached(request: ExecRequest): ExecStarted;
  /** Starts one off the JavaScript thread; `onEvent` hears once, when it has ended. */
  execStart(request: ExecRequest, onEvent: (event: ContainerEvent) => void): Promise<ExecStarted>;
  /** Gives the terminal of a container or command that was started here another size. False: it has none, or is gone. */
  resize(handle: number, size: TerminalSize): boolean;
}
