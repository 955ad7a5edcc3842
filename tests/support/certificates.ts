/** Certificates for servers of the tests, made by openssl: an authority, a server of its, and an authority that nobody asked. */
import { runAs, testAccount } from "./accounts.ts";

export interface Certificates {
  readonly caFile: string;
  /** For localhost, s3.localhost, *.s3.localhost and 127.0.0.1. */
  readonly certFile: string;
  readonly keyFile: string;
  /** An authority that signed nothing here. */
  readonly otherCaFile: string;
}

const NAMES = "DNS:localhost,DNS:s3.localhost,DNS:*.s3.localhost,DNS:azure.localhost,DNS:gcs.localhost,IP:127.0.0.1";

/** Makes them in a folder that exists; everybody may read them. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const authority = (name: string) => `
    openssl ecparam -name prime256v1 -genkey -noout -out ${name}.key
    openssl req -x509 -new -key ${name}.key -days 3650 -subj "/CN=${name}" -out ${name}.crt \\
      -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"`;
  const script = `set -e; cd ${folder}; umask 022
    ${authority("ca")}
    ${authority("other")}
    openssl ecparam -name prime256v1 -genkey -noout -out server.key
    openssl req -new -key server.key -subj "/CN=localhost" -out server.csr
    printf 'subjectAltName=${NAMES}\\nextendedKeyUsage=serverAuth\\nbasicConstraints=CA:FALSE\\n' > server.ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 825 -extfile server.ext -out server.crt
    chmod 644 *.crt *.key
    ${testAccount === undefined ? "" : `chown ${testAccount.uid}:${testAccount.gid} *.crt *.key`}`;
  await runAs(["bash", "-c", script], { asSelf: true });
  return {
    caFile: `${folder}/ca.crt`,
    certFile: `${folder}/server.crt`,
    keyFile: `${folder}/server.key`,
    otherCaFile: `${folder}/other.crt`,
  };
}
