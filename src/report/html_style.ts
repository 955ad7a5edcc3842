/**
 * How the pages look. Colours differ in lightness as well and nothing is told by colour alone; text has a contrast of 4.5 and more, shapes of
 * 3 and more, in light and in dark (tests/e2e/report_browser_test.ts measures it). Nothing moves.
 */

const LIGHT = `color-scheme: light; --ink: #17202b; --soft: #525c69; --paper: #ffffff; --card: #f5f7fa; --line: #d3dae2;
  --full: #0a4a94; --diff: #2378c8; --incr: #4f8ecb; --wal: #2b7a4b; --gap: #b3261e; --focus: #0b57d0;
  --bad: #8c1d18; --bad-back: #fde8e6; --warn: #684500; --warn-back: #fdf1d6; --good: #14532d; --good-back: #e1f3e8;`;

const DARK = `color-scheme: dark; --ink: #e8ecf2; --soft: #a9b3c0; --paper: #12161c; --card: #1b2129; --line: #38424f;
  --full: #a5cdff; --diff: #5aa2ea; --incr: #4a80b8; --wal: #6cc08f; --gap: #ff8a80; --focus: #a8c7fa;
  --bad: #ffb4ab; --bad-back: #45171a; --warn: #f5d58c; --warn-back: #3b2d0a; --good: #9be3b4; --good-back: #14341f;`;

export const STYLE = `
:root { ${LIGHT} }
@media screen and (prefers-color-scheme: dark) { :root { ${DARK} } }
@media screen and (prefers-contrast: more) { :root { --soft: var(--ink); --line: var(--ink); } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0 auto; padding: 1.25rem clamp(.75rem, 3vw, 2rem) 4rem; max-width: 84rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; } h2 { margin: 0; font-size: 1.35rem; } h3 { margin: 1.75rem 0 .5rem; font-size: 1.05rem; }
p { margin: .35rem 0; } .soft { color: var(--soft); } a { color: inherit; text-underline-offset: .15em; }
:focus-visible, :target { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 2px; }
.skip { position: absolute; left: -999rem; } .skip:focus { position: static; display: inline-block; padding: .25rem .5rem; }
.badge { display: inline-block; padding: .05rem .55rem; border-radius: 1rem; font-size: .875rem; font-weight: 600; white-space: nowrap;
  background: var(--card); border: 1px solid currentColor; }
.bad { color: var(--bad); font-weight: 600; } .warn { color: var(--warn); font-weight: 600; } .good { color: var(--good); font-weight: 600; }
.badge.bad, .note.bad { background: var(--bad-back); } .badge.warn, .note.warn { background: var(--warn-back); }
.badge.good, .note.good { background: var(--good-back); }
.note { margin: .5rem 0; padding: .5rem .75rem; border-inline-start: .3rem solid currentColor; border-radius: .25rem; font-weight: 400; overflow-wrap: anywhere; }
.note.warn { border-inline-start-style: double; } .note.bad, .note.warn { color: var(--ink); }
.note.bad { border-color: var(--bad); } .note.warn { border-color: var(--warn); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
header { margin-bottom: 1.25rem; } ul.notes { list-style: none; margin: 1rem 0; padding: 0; }
section.stanza { margin-top: 2.5rem; padding-top: 1.25rem; border-top: 2px solid var(--line); }
.head { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .75rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: .75rem; margin: 1rem 0; }
.cards.charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.card { padding: .75rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; min-width: 0; }
.card h3, figure h3 { margin: 0 0 .35rem; } .card .head { justify-content: space-between; }
dl { margin: 0; display: grid; grid-template-columns: minmax(6.5rem, auto) 1fr; gap: .15rem .75rem; } dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
figure { margin: 0; min-width: 0; }
.scroll { overflow-x: auto; } .scroll:focus-visible { outline-offset: -3px; }
.newest { direction: rtl; } .newest > * { direction: ltr; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; margin: .5rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: start; color: var(--soft); padding: .25rem 0; }
th, td { padding: .3rem .7rem; text-align: start; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top; }
thead th { background: var(--card); } tbody th { font-weight: 600; } td.number, th.number { text-align: end; }
td.words { white-space: normal; min-width: 16rem; }
.bar { display: block; height: .3rem; margin-top: .15rem; margin-inline-start: auto; background: var(--diff); min-width: 1px; border-radius: 1px; print-color-adjust: exact; }
summary { cursor: pointer; padding: .35rem 0; font-weight: 600; }
svg { display: block; width: 100%; height: auto; } svg.wide { min-width: 44rem; }
svg text { fill: var(--ink); font-size: 13px; } svg text.soft { fill: var(--soft); color: var(--soft); }
svg .echo { display: none; }
svg .axis { stroke: var(--line); } svg .full { fill: var(--full); } svg .diff { fill: var(--diff); } svg .incr { fill: var(--incr); }
svg .wal { fill: var(--wal); } svg .gap { stroke: var(--gap); stroke-width: 9; stroke-dasharray: 3 3; } svg .track { fill: var(--line); opacity: .5; }
svg .growth { fill: none; stroke: var(--wal); stroke-width: 2; } svg .passed { fill: var(--good); } svg .failed { fill: none; stroke: var(--gap); stroke-width: 3; }
svg a:focus-visible { outline: none; } svg a:focus-visible rect { stroke: var(--focus); stroke-width: 3; } svg a:hover rect { stroke: var(--ink); stroke-width: 1.5; }
ul.legend { list-style: none; padding: 0; margin: .35rem 0; display: flex; flex-wrap: wrap; gap: .15rem 1.25rem; color: var(--soft); font-size: .9rem; }
ul.legend li { display: flex; align-items: center; gap: .4rem; } ul.legend svg { width: 18px; height: 16px; flex: none; }
@media screen and (max-width: 46rem) { svg .echo { display: inline; } svg.wide text { font-size: 17px; } }
@media screen and (max-width: 30rem) { .card svg text { font-size: 17px; } body { font-size: .95rem; } }
@media print { html { font-size: 9pt; } body { max-width: none; padding: 0; } .skip { display: none; } .scroll { overflow: visible; } svg.wide { min-width: 0; }
  .card, figure, tr { break-inside: avoid; } h2, h3, thead { break-after: avoid; } .note, .badge, svg { print-color-adjust: exact; }
  table { font-size: 7pt; } th, td { padding: .15rem .3rem; white-space: normal; overflow-wrap: break-word; } td.words { min-width: 9rem; }
  details:not([open])::details-content { content-visibility: visible; block-size: auto; } }
`;
