/** What GCS says of an object. */

/** An object's metadata, as far as it is used. */
export interface ObjectResource {
  readonly name?: string;
  readonly size?: string;
  readonly updated?: string;
  readonly generation?: string;
  readonly crc32c?: string;
}
