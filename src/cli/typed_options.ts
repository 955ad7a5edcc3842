/** From the effective configuration to the typed options that commands take. Only these files know which option feeds which field. */
export * from "./typed_archive.ts";
export * from "./typed_backup.ts";
export * from "./typed_files.ts";
export * from "./typed_info.ts";
export * from "./typed_repositories.ts";
