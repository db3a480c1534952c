// Markdown tables and verdicts.

export const number = (x) => (x === undefined || Number.isNaN(x) ? "-" : x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2));
export const times = (x) => (x === undefined ? "-" : `${x.toFixed(2)}x`);

export function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** Collects what is over its bar, and what is wrong. */
export class Verdicts {
  over = [];
  wrong = [];

  /** "ok" or "over by …", beside a figure; a missing figure is a failure. */
  at(name, value, bar, show = number) {
    if (value === undefined || Number.isNaN(value)) {
      this.wrong.push(`${name}: no figure`);
      return "FAILED";
    }
    if (value <= bar) return "ok";
    this.over.push(`${name}: ${show(value)}, bar ${show(bar)}`);
    return "over";
  }
}
