/**
 * Options of the stores that a repository can be in: `repo1-s3-bucket` ... Names, types, defaults and ranges: behaviour spec §1.8.11 to
 * §1.8.15; those marked `own` are walferry's.
 */
import { REPO } from "./command_sets.ts";
import type { OptionDeclaration, OptionDependency } from "./option_declaration.ts";
import { GIB, KIB, MIB } from "./option_units.ts";

type Declared = Pick<OptionDeclaration, "name" | "type"> & Partial<OptionDeclaration>;

/** Options that mean something under a condition; their names come without `repo-<store>-`. */
function ofStore(store: string, depends: OptionDependency, options: readonly Declared[]): OptionDeclaration[] {
  return options.map((option) => ({
    group: "repo",
    home: "global",
    commands: REPO,
    depends,
    ...option,
    name: `repo-${store}-${option.name}`,
  }));
}

const inType = (...values: string[]): OptionDependency => ({ option: "repo-type", values });
const keyType = (store: string, ...values: string[]): OptionDependency => ({
  option: `repo-${store}-key-type`,
  values,
});

export const STORE_OPTIONS: readonly OptionDeclaration[] = [
  ...ofStore("storage", inType("azure", "gcs", "s3"), [
    {
      name: "verify-tls",
      type: "boolean",
      default: "y",
      oldNames: ["repo-s3-verify-ssl", "repo?-azure-verify-tls", "repo?-s3-verify-ssl", "repo?-s3-verify-tls"],
    },
    { name: "ca-file", type: "string", oldNames: ["repo-s3-ca-file", "repo?-azure-ca-file", "repo?-s3-ca-file"] },
    { name: "ca-path", type: "path", oldNames: ["repo-s3-ca-path", "repo?-azure-ca-path", "repo?-s3-ca-path"] },
    { name: "tag", type: "hash" },
    { name: "upload-chunk-size", type: "size", min: 64 * KIB, max: GIB },
    { name: "prefetch", type: "integer", min: 0, max: 1024, compatibilityOnly: true },
    { name: "read-over", type: "size", min: 0, max: MIB, compatibilityOnly: true },
  ]),
  ...ofStore("storage", inType("azure", "s3"), [
    { name: "host", type: "string", oldNames: ["repo-s3-host", "repo?-azure-host", "repo?-s3-host"] },
    { name: "port", type: "integer", min: 1, max: 65535, oldNames: ["repo?-azure-port", "repo?-s3-port"] },
  ]),
  ...ofStore("s3", inType("s3"), [
    { name: "bucket", type: "string", oldNames: ["repo-s3-bucket"] },
    { name: "endpoint", type: "string", oldNames: ["repo-s3-endpoint"] },
    { name: "region", type: "string", oldNames: ["repo-s3-region"] },
    {
      name: "key-type",
      type: "string-id",
      default: "shared",
      allowed: ["shared", "auto", "web-id", "pod-id", "process"],
    },
    { name: "key", type: "string", secure: true, depends: keyType("s3", "shared"), oldNames: ["repo-s3-key"] },
    {
      name: "key-secret",
      type: "string",
      secure: true,
      depends: keyType("s3", "shared"),
      oldNames: ["repo-s3-key-secret"],
    },
    { name: "token", type: "string", secure: true, depends: keyType("s3", "shared") },
    { name: "role", type: "string", depends: keyType("s3", "auto") },
    { name: "process-cmd", type: "list", depends: keyType("s3", "process") },
    { name: "sts-host", type: "string", default: "sts.amazonaws.com", depends: keyType("s3", "web-id") },
    { name: "kms-key-id", type: "string" },
    { name: "sse-customer-key", type: "string", secure: true },
    { name: "requester-pays", type: "boolean", default: "n" },
    { name: "service", type: "string", default: "s3" },
    { name: "uri-style", type: "string-id", default: "host", allowed: ["host", "path"] },
    { name: "conditional-write", type: "boolean", own: true },
  ]),
  ...ofStore("azure", inType("azure"), [
    { name: "account", type: "string", secure: true },
    { name: "container", type: "string" },
    { name: "endpoint", type: "string", default: "blob.core.windows.net", secure: true },
    { name: "key-type", type: "string-id", default: "shared", allowed: ["shared", "sas", "auto"] },
    { name: "key", type: "string", secure: true, depends: keyType("azure", "shared", "sas") },
    { name: "uri-style", type: "string-id", default: "host", allowed: ["host", "path"] },
  ]),
  ...ofStore("gcs", inType("gcs"), [
    { name: "bucket", type: "string" },
    { name: "endpoint", type: "string", default: "storage.googleapis.com" },
    { name: "key-type", type: "string-id", default: "service", allowed: ["service", "token", "auto"] },
    { name: "key", type: "string", secure: true, depends: keyType("gcs", "service", "token") },
    { name: "user-project", type: "string" },
  ]),
  ...ofStore("sftp", inType("sftp"), [
    { name: "host", type: "string" },
    { name: "host-port", type: "integer", default: "22", min: 1, max: 65535 },
    { name: "host-user", type: "string" },
    {
      name: "host-key-check-type",
      type: "string-id",
      default: "strict",
      allowed: ["accept-new", "fingerprint", "none", "strict"],
    },
    { name: "host-key-hash-type", type: "string-id", allowed: ["md5", "sha1", "sha256"] },
    { name: "host-fingerprint", type: "string" },
    { name: "known-host", type: "list" },
    { name: "private-key-file", type: "string" },
    { name: "private-key-passphrase", type: "string", secure: true },
    // The library derives it from the private key.
    { name: "public-key-file", type: "string", compatibilityOnly: true },
    { name: "transport", type: "string-id", default: "ssh2", allowed: ["ssh2", "ssh"], own: true },
  ]),
];
