/** `info` */
import type { CommandContext } from "../process/command_context.ts";
import { gatherInfo } from "../repository/info_data.ts";
import { renderInfoJson } from "../repository/info_json.ts";
import { renderInfoText } from "../repository/info_text.ts";
import type { InfoOptions } from "../repository/options.ts";
import { reportedStanza } from "../repository/report_data.ts";
import { RepositorySet } from "../repository/repository_set.ts";
import { renderTimelineText } from "../repository/timeline_text.ts";

/** Prints what there is; the exit code is 0 also when a stanza is in error, which its status says. */
export async function info(options: InfoOptions, context: CommandContext): Promise<number> {
  await using set = await RepositorySet.open(options.repositories);
  const stanzas = await gatherInfo(set, options, context.clock, context.signal);
  if (options.timeline !== undefined) {
    const drawn = stanzas.map((stanza) => reportedStanza(set, stanza, { lag: undefined }));
    context.output(renderTimelineText(await Promise.all(drawn), options.timeline, context.clock.nowMs()));
    return 0;
  }
  context.output(
    options.output === "json"
      ? renderInfoJson(stanzas, options.detailLevel)
      : renderInfoText(stanzas, options.detailLevel, context.clock.nowMs()),
  );
  return 0;
}
