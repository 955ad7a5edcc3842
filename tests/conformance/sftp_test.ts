/** The storage contract over SFTP: by the library and by the system's ssh, and on a server without OpenSSH's extensions. */
import type { SftpStorageConfig } from "../../backends/config.ts";
import { SftpStorage } from "../../backends/sftp.ts";
import { skipTest, whySkipped } from "../support/requirements.ts";
import { SSHD_PROGRAMS, SshServer } from "../support/sshd.ts";
import { storageSuite } from "./storage_suite.ts";

function suiteOn(name: string, subsystem: string, more: Partial<SftpStorageConfig>): void {
  const reason = whySkipped(SSHD_PROGRAMS);
  if (reason !== undefined) return skipTest(name, reason);
  let server: SshServer | undefined;
  Deno.test.beforeAll(async () => {
    server = await SshServer.start(subsystem);
  });
  Deno.test.afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  let places = 0;
  storageSuite(name, () => {
    const storage = new SftpStorage(server!.config(`${server!.folder.path}/made${places++}/repo`, more));
    return Promise.resolve({ storage, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() });
  });
}

suiteOn("sftp by ssh2", "internal-sftp", {});
suiteOn("sftp by ssh", "internal-sftp", { transport: "ssh" });
suiteOn("sftp without extensions", "internal-sftp -P fsync,posix-rename", {});
