/**
 * The OpenMetrics text format, within what the older Prometheus text format understands as well, so that textfile collectors take it: only
 * gauges, and no types that the older format does not know.
 */

/** Label name to value. */
export type Labels = Readonly<Record<string, string | number>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** A metric: its samples under one name. */
export interface MetricFamily {
  /** With its unit as the last word. */
  readonly name: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** Base units that a name may end with. */
const UNITS = ["seconds", "bytes"];

/** The whole answer. Families without samples are left out. */
export function renderOpenMetrics(families: readonly MetricFamily[]): string {
  const lines = families.filter(({ samples }) => samples.length > 0).flatMap(({ name, help, samples }) => {
    const unit = UNITS.find((known) => name.endsWith(`_${known}`));
    return [
      `# TYPE ${name} gauge`,
      ...(unit === undefined ? [] : [`# UNIT ${name} ${unit}`]),
      `# HELP ${name} ${escaped(help)}`,
      ...samples.map(({ labels, value }) => `${name}${labelText(labels)} ${numberText(value)}`),
    ];
  });
  return [...lines, "# EOF", ""].join("\n");
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

/** The format knows `+Inf`, not JavaScript's `Infinity`. */
function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : value < 0 ? "-Inf" : "NaN";
}
