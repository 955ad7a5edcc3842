/** A data directory made of plain files: enough for everything that looks at a cluster that does not run. */
import { pageChecksum } from "../../src/postgres/page_checksum.ts";
import { CLUSTER_VECTORS, controlFileOf } from "./cluster_vectors.ts";

/** The cluster that {@link makeClusterFiles} makes. */
export const CLUSTER_FILES_SYSTEM_ID = CLUSTER_VECTORS.find(({ version }) => version === "15")!.systemId;

/** A temporary directory that goes away at the end of the scope. */
export function temporaryDirectory(): { readonly path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "walferry-test-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** Writes a file and the directories above it. */
export function writeFile(path: string, content: string | Uint8Array, mode = 0o600): void {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
  Deno.writeFileSync(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
  Deno.chmodSync(path, mode);
}

/** Pages with right checksums, each with content of its own. */
export function relationPages(count: number, firstBlock = 0): Uint8Array {
  const file = new Uint8Array(count * 8192);
  for (let index = 0; index < count; index++) {
    const page = file.subarray(index * 8192, (index + 1) * 8192);
    page.set([0x18, 0, 0, 0x20, 0, 0x20, 4, 0x20], 12);
    for (let at = 100; at < page.length; at += 11) page[at] = (at * 7 + index + firstBlock) & 0xff;
    const checksum = pageChecksum(page, firstBlock + index);
    page[8] = checksum & 0xff;
    page[9] = checksum >> 8;
  }
  return file;
}

/** A data directory of release 15 with page checksums, stopped. */
export function makeClusterFiles(path: string): void {
  Deno.mkdirSync(path, { recursive: true });
  Deno.chmodSync(path, 0o700);
  const files: Record<string, string | Uint8Array> = {
    "PG_VERSION": "15\n",
    "postgresql.conf": "port = 5432\n",
    "pg_hba.conf": "local all all trust\n",
    "global/pg_control": controlFileOf("15"),
    "global/1260": relationPages(1),
    "global/pg_filenode.map": "map",
    "base/1/PG_VERSION": "15\n",
    "base/1/1259": relationPages(5),
    "base/1/2600": "",
    "base/5/PG_VERSION": "15\n",
    "base/5/16384": relationPages(40),
    "pg_xact/0000": new Uint8Array(8192),
    "pg_wal/000000010000000000000001": new Uint8Array(1024),
  };
  for (const [name, content] of Object.entries(files)) writeFile(`${path}/${name}`, content);
  for (const name of ["pg_wal/archive_status", "pg_tblspc", "pg_notify", "pg_stat_tmp"]) {
    Deno.mkdirSync(`${path}/${name}`, { recursive: true, mode: 0o700 });
  }
}
