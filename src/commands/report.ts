/** `report`: what there is, as a page for people. */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { gatherInfo } from "../repository/info_data.ts";
import type { ReportOptions } from "../repository/options.ts";
import { type ReportedStanza, reportedStanza } from "../repository/report_data.ts";
import { renderReportHtml } from "../repository/report_html.ts";
import { RepositorySet } from "../repository/repository_set.ts";
import { drillsKnown, lagOf } from "./metrics_sight.ts";

/** Writes the page. @throws WalferryError `FileWrite` */
export async function report({ scopes, htmlPath }: ReportOptions, context: CommandContext): Promise<number> {
  const stanzas: ReportedStanza[] = [];
  for (const scope of scopes) {
    await using set = await RepositorySet.open(scope.info.repositories);
    const lag = scope.info.stanza === undefined ? undefined : await lagOf(scope, context);
    for (const info of await gatherInfo(set, scope.info, context.clock, context.signal)) {
      const drills = drillsKnown(scope.info.spoolPath, info.name, context, (records) => records.history());
      stanzas.push(await reportedStanza(set, info, { lag, drills }));
    }
  }
  const page = renderReportHtml(stanzas, Deno.hostname(), context.clock.nowMs());
  if (htmlPath === "-") context.output(page);
  else replaceFile(htmlPath, page);
  return 0;
}

/** A reader of the page sees the old one or the new one, never half of one. */
function replaceFile(path: string, text: string): void {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    Deno.writeTextFileSync(temporary, text, { createNew: true, mode: 0o644 });
    Deno.renameSync(temporary, path);
  } catch (error) {
    try {
      Deno.removeSync(temporary);
    } catch (failure) {
      // Where it could not be made it cannot be removed either: what is told is the first failure.
      if (!(failure instanceof Error)) throw failure;
    }
    throw new WalferryError("FileWrite", `unable to write '${path}': ${(error as Error).message}`, { cause: error });
  }
}
