/** Real OpenSSH servers, run by the account of the test, with keys and files of known hosts of their own. */
import type { SftpStorageConfig } from "../../backends/config.ts";
import { accountOwn, runAs, TestFolder } from "./accounts.ts";
import { freePorts, untilListening } from "./free_port.ts";

/** Programs that they need (see testWith). */
export const SSHD_PROGRAMS = ["/usr/sbin/sshd", "ssh-keygen", "ssh"];

export class SshServer implements AsyncDisposable {
  readonly port: number;
  readonly folder: TestFolder;
  /** Accepted; without a passphrase, with one, and as old PEM with one. */
  readonly keys: { readonly plain: string; readonly encrypted: string; readonly pem: string; readonly unknown: string };
  readonly passphrase = "correct horse";
  readonly knownHosts: string;
  readonly user: string;
  #child: Deno.ChildProcess | undefined;
  readonly #subsystem: string;

  private constructor(folder: TestFolder, port: number, user: string, subsystem: string) {
    this.folder = folder;
    this.port = port;
    this.user = user;
    this.#subsystem = subsystem;
    const key = (name: string) => `${folder.path}/${name}`;
    this.keys = { plain: key("plain"), encrypted: key("encrypted"), pem: key("pem"), unknown: key("unknown") };
    this.knownHosts = `${folder.path}/known_hosts`;
  }

  /**
   * Starts a server.
   * @param subsystem the SFTP server's command line: `internal-sftp -P fsync` for one without that extension
   */
  static async start(subsystem = "internal-sftp"): Promise<SshServer> {
    const folder = await TestFolder.make();
    await Deno.chmod(folder.path, 0o755);
    const user = (await runAs(["id", "-un"], { asSelf: true })).trim();
    const server = new SshServer(folder, freePorts(1), user, subsystem);
    const { plain, encrypted, pem, unknown } = server.keys;
    const make = (type: string, passphrase: string, path: string) =>
      `ssh-keygen -q ${type} -N '${passphrase}' -f ${path}`;
    await runAs([
      "bash",
      "-c",
      `set -e; cd ${folder.path}
       ${make("-t ed25519", "", "host_ed25519")}; ${make("-t rsa -b 2048", "", "host_rsa")}
       ${make("-t ed25519", "", "other_host")}
       ${make("-t ed25519", "", plain)}; ${make("-t ed25519", server.passphrase, encrypted)}
       ${make("-t rsa -b 2048 -m PEM", server.passphrase, pem)}; ${make("-t ed25519", "", unknown)}
       cat ${plain}.pub ${encrypted}.pub ${pem}.pub > authorized_keys
       echo "[127.0.0.1]:${server.port} $(cut -d' ' -f1,2 host_ed25519.pub)" > known_hosts
       echo "[127.0.0.1]:${server.port} $(cut -d' ' -f1,2 other_host.pub)" > wrong_known_hosts
       chmod 644 known_hosts wrong_known_hosts; mkdir -p /run/sshd 2>/dev/null || true`,
    ], { asSelf: true });
    for (const path of Object.values(server.keys)) await accountOwn(path);
    await server.#start("host_ed25519");
    return server;
  }

  async #start(hostKey: string): Promise<void> {
    const { path } = this.folder;
    await Deno.writeTextFile(
      `${path}/sshd_config`,
      `ListenAddress 127.0.0.1
Port ${this.port}
HostKey ${path}/${hostKey}
${hostKey === "host_ed25519" ? `HostKey ${path}/host_rsa\n` : ""}PidFile none
AuthorizedKeysFile ${path}/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin yes
Subsystem sftp ${this.#subsystem}
LogLevel VERBOSE
MaxStartups 100:30:200
MaxSessions 100
`,
    );
    this.#child = new Deno.Command("/usr/sbin/sshd", {
      args: ["-D", "-f", `${path}/sshd_config`, "-E", `${path}/log`],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await untilListening(this.port);
  }

  async #stop(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.status;
    this.#child = undefined;
    await this.endSessions();
  }

  /** Comes back with another host key. */
  async changeHostKey(): Promise<void> {
    await this.#stop();
    await this.#start("other_host");
  }

  /** Kills the processes that serve connections; the server itself goes on. */
  async endSessions(): Promise<void> {
    const main = this.#child?.pid;
    await runAs([
      "bash",
      "-c",
      // Sessions are children of the server (or were, when it is gone), and carry its configuration on no command line.
      main === undefined
        ? "true"
        : `for pid in $(pgrep -P ${main}); do pkill -KILL -P $pid; kill -KILL $pid; done; true`,
    ], { asSelf: true });
  }

  /** Configuration of a repository on it. */
  config(path: string, more: Partial<SftpStorageConfig> = {}): SftpStorageConfig {
    return {
      type: "sftp",
      path,
      host: "127.0.0.1",
      port: this.port,
      user: this.user,
      privateKeyFile: this.keys.plain,
      hostKeyCheck: "strict",
      knownHostFiles: [this.knownHosts],
      transport: "ssh2",
      network: { ioTimeoutMs: 20_000, retryMs: 20_000 },
      ...more,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await this.folder[Symbol.asyncDispose]();
  }
}
