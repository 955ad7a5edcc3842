/** The options of a run as they stand in the begin line of its log: what was set, in pgBackRest's form, secrets redacted. */
import type { Configuration } from "./configuration.ts";
import { showOptionValue } from "./option_value.ts";

/** `[params] --opt=value ...`, options that were set, sorted by name. */
export function describeOptions(config: Configuration, parameters: readonly string[]): string {
  const set = config.all().filter(({ source }) => source.kind !== "default").sort((a, b) =>
    a.option.name === b.option.name ? a.index! - b.index! : a.option.name < b.option.name ? -1 : 1
  );
  const words = set.flatMap(({ option, name, value }) => {
    if (value === false) return [`--no-${name}`];
    if (value === true) return [`--${name}`];
    const texts = option.type === "list" && !option.secure
      ? (value as readonly string[])
      : option.type === "hash" && !option.secure
      ? [...(value as ReadonlyMap<string, string>)].map(([key, text]) => `${key}=${text}`)
      : [showOptionValue(option, value)];
    return texts.map((text) => `--${name}=${text.includes(" ") ? `"${text}"` : text}`);
  });
  const head = parameters.length === 0
    ? []
    : [`[${parameters.map((text) => (text.includes(" ") ? `"${text}"` : text)).join(", ")}]`];
  return [...head, ...words].join(" ");
}
