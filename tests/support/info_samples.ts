/** Info files as the real program writes them (repository format, sections 2 and 5), from throw-away clusters. */
import { createHash } from "node:crypto";

export const ARCHIVE_INFO = `[backrest]
backrest-format=5
backrest-version="2.45"

[db]
db-id=1
db-system-id=7710412083236442382
db-version="15"

[db:history]
1={"db-id":7710412083236442382,"db-version":"15"}

[backrest]
backrest-checksum="e0d5dc2a590f7533e55dccaf917978889f5298b1"
`;

export const ARCHIVE_INFO_ENCRYPTED = `[backrest]
backrest-format=5
backrest-version="2.45"

[cipher]
cipher-pass="EYN6/FUm0e5b0Q4Av9xnh6Ia2OOUZZckpGnQtWVlEuPrcvmn0/UgcVrMD7UYL6Wm"

[db]
db-id=1
db-system-id=7710412083236442382
db-version="15"

[db:history]
1={"db-id":7710412083236442382,"db-version":"15"}

[backrest]
backrest-checksum="fddc2eddebac13b431bb4d599f5209a42cd1686c"
`;

export const BACKUP_INFO = `[backrest]
backrest-format=5
backrest-version="2.45"

[backup:current]
20261121-001700F={"backrest-format":5,"backrest-version":"2.45","backup-archive-start":"000000010000000000000005","backup-archive-stop":"000000010000000000000006","backup-error":false,"backup-info-repo-size":5500544,"backup-info-repo-size-delta":5500544,"backup-info-size":46978916,"backup-info-size-delta":46978916,"backup-lsn-start":"0/5000028","backup-lsn-stop":"0/6000050","backup-timestamp-start":1795220220,"backup-timestamp-stop":1795220222,"backup-type":"full","db-id":1,"option-archive-check":true,"option-archive-copy":false,"option-backup-standby":false,"option-checksum-page":true,"option-compress":true,"option-hardlink":false,"option-online":true}

[cipher]
cipher-pass="8F8kGlv5LMEXFAcMpWRBfaOw2TtY3RSF38ObOVErCZKmGZAtN/r3g+fZhRqOinqc"

[db]
db-catalog-version=202209061
db-control-version=1300
db-id=1
db-system-id=7710412083236442382
db-version="15"

[db:history]
1={"db-catalog-version":202209061,"db-control-version":1300,"db-system-id":7710412083236442382,"db-version":"15"}

[backrest]
backrest-checksum="fcbf47bfce81cc1ca6f7801c67bef85b7c27fa2f"
`;

/** Every kind of line that a manifest has. */
export const MANIFEST = withChecksum(`[backrest]
backrest-format=5
backrest-version="2.45"

[backup]
backup-archive-start="000000010000000000000018"
backup-archive-stop="000000010000000000000019"
backup-bundle=true
backup-label="20261121-001653F_20261121-001900D"
backup-lsn-start="0/18000028"
backup-lsn-stop="0/19000050"
backup-prior="20261121-001653F"
backup-reference="20261121-001653F,20261121-001653F_20261121-001900D"
backup-timestamp-copy-start=1795220351
backup-timestamp-start=1795220349
backup-timestamp-stop=1795220351
backup-type="diff"

[backup:db]
db-catalog-version=202209061
db-control-version=1300
db-id=1
db-system-id=7710412083236442382
db-version="15"

[backup:option]
option-archive-check=true
option-archive-copy=false
option-backup-standby=false
option-buffer-size=1048576
option-checksum-page=true
option-compress=true
option-compress-level=6
option-compress-level-network=3
option-compress-type="gz"
option-delta=false
option-hardlink=false
option-online=true
option-process-max=1

[backup:target]
pg_data={"path":"/var/lib/pg/data","type":"path"}
pg_data/pg_wal={"path":"../x2/wal","type":"link"}
pg_data/postgresql.conf={"file":"postgresql.conf","path":"../x2/conf","type":"link"}
pg_tblspc/16384={"path":"/var/lib/pg/ts1","tablespace-id":"16384","tablespace-name":"ts1","type":"link"}

[db]
postgres={"db-id":5,"db-last-system-id":4}
with=sign={"db-id":16400,"db-last-system-id":4}

[metadata]
annotation={"k1":"v1","who":"a b"}

[target:file]
pg_data/PG_VERSION={"checksum":"587b596f04f7db9c2cad3d6b87dd2b3a05de4f35","rck":"b8b3ecfaf3ed3d6865df5807d66c5fd8cde3289e","repo-size":23,"size":3,"timestamp":1795220207}
pg_data/base/1/112={"bni":1,"bno":2856144,"checksum":"9890dd22d170e0de4f4d9404aba2557a33b9909b","checksum-page":true,"rck":"d95718da907d49f555c4ff02b1ff5023bc3d4ff4","repo-size":112,"size":8192,"timestamp":1795220208}
pg_data/base/1/13394={"checksum-page":true,"size":0,"timestamp":1795220208}
pg_data/base/5/1259={"checksum":"55437a8efcdc669ef1adb8173a0e4e5e9ea74412","checksum-page":true,"rck":"680614afa0a220f7f53966539df32d5d365f0423","reference":"20261121-001653F","repo-size":13609,"size":114688,"timestamp":1795220339}
pg_data/base/5/16395={"checksum":"55a584c846c2e2f2ea6cff04c588dc49345fa3ee","checksum-page":false,"checksum-page-error":[3,[5,7]],"rck":"2d5b64ab1c86ace7c76478ec372f8ca44b19104b","repo-size":10452,"size":286720,"timestamp":1795221030}
pg_data/odd/a=b={"x"=1={"checksum":"587b596f04f7db9c2cad3d6b87dd2b3a05de4f35","group":false,"mode":"0640","size":3,"szo":5,"timestamp":1795220207,"user":"other"}

[target:file:default]
group="postgres"
mode="0600"
user="postgres"

[target:link]
pg_data/pg_tblspc/16384={"destination":"/var/lib/pg/ts1"}
pg_data/pg_wal={"destination":"../x2/wal"}

[target:link:default]
group="postgres"
user="postgres"

[target:path]
pg_data={}
pg_data/base={}
pg_data/base/1={"mode":"0750"}
pg_tblspc={}
pg_tblspc/16384={}

[target:path:default]
group="postgres"
mode="0700"
user="postgres"
`);

/** A text with its checksum made right: an own implementation of the rule, independent of the product's. */
export function withChecksum(text: string): string {
  const body = text.replace(/\n?\[backrest\]\nbackrest-checksum="[^"]*"\n?$/, "");
  let hashed = "{";
  let section: string | undefined;
  let open: string | undefined;
  for (const line of body.split("\n")) {
    if (line === "") continue;
    if (line.startsWith("[") && line.endsWith("]")) {
      section = line.slice(1, -1);
      continue;
    }
    // The value begins behind the first "=" whose rest is JSON.
    let at = line.indexOf("=");
    while (at !== -1 && !isJson(line.slice(at + 1))) at = line.indexOf("=", at + 1);
    if (at === -1) continue;
    const key = JSON.stringify(line.slice(0, at));
    hashed += open === section ? "," : `${open === undefined ? "" : "},"}"${section}":{`;
    hashed += `${key}:${line.slice(at + 1)}`;
    open = section;
  }
  const checksum = createHash("sha1").update(`${hashed}}}`).digest("hex");
  return `${body.replace(/\n+$/, "\n")}\n[backrest]\nbackrest-checksum="${checksum}"\n`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
