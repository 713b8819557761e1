import { z } from "zod";
import { setting } from "../../experiments/config.ts";
import type { VerifiedFile } from "../../experiments/verify.ts";
import { now } from "../../platform/clock.ts";
import { defineCommand, jsonSetting, quietSetting, runsSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { formatGap, formatNumber, plural, wrap } from "../format.ts";

const path = z.string().min(1);
/** Seconds after which it is shown how far the checking is, and between two such lines. */
const PATIENCE = 1;
const REFRESH = 0.1;

export const verifyCommand = defineCommand({
  name: "verify",
  summary: "check the certificate of a run against its data",
  positionals: ["certificate", "data"],
  flagsOnly: ["certificate", "data", "target"],
  schema: z.object({
    certificate: setting(path, {
      group: "Input",
      description: "run id, run folder, or certificate.json with its proof beside it",
    }),
    data: setting(path, { group: "Input", description: "the table that the network was trained on" }),
    target: setting(path.optional(), {
      group: "Input",
      description: "npy or idx file of targets, when the table has none",
      value: "FILE",
    }),
    runs: runsSetting,
    quiet: quietSetting,
    json: jsonSetting,
  }),
  examples: [
    { does: "is the bound of this run proved?", line: "overparam verify 7f3a9c tic-tac-toe.csv" },
    { does: "a certificate that somebody sent", line: "overparam verify certificate.json table.csv --json" },
  ],
  async run({ certificate, data, target, runs, quiet, json }, { terminal, version }) {
    const { verifyFile } = await import("../../experiments/verify.ts");
    const begun = now();
    let shown = begun + PATIENCE - REFRESH;
    const progress = (share: number): void => {
      if (quiet || now() - shown < REFRESH) return;
      shown = now();
      terminal.transient(`  checking the proof: ${Math.floor(100 * share)} %`);
    };
    const job = { runs, certificate, data, ...(target === undefined ? {} : { target }) };
    const verified = verifyFile(job, progress);
    const { rigorous } = verified.verification;
    if (json) terminal.out(JSON.stringify({ schema: 1, command: "verify", version, ...verifyJson(verified) }));
    else for (const line of verdictLines(verified)) terminal.out(wrap(line, terminal.outColumns - 1));
    return rigorous ? EXIT.ok : EXIT.notReached;
  },
});

/** What `--json` prints; `objective` and `lowerBound` are what was shown, rounded outwards, and null where nothing was. */
function verifyJson({ file, certificate, verification }: VerifiedFile) {
  const { rigorous, failure, total, outputs } = verification;
  return {
    valid: failure === null,
    objective: total?.upper ?? null,
    lowerBound: total?.lower ?? null,
    gap: total?.gap ?? null,
    scope: certificate.total.scope,
    rigorous,
    reason: failure === null ? null : `${failure.step}: ${failure.reason}`,
    certificate: file,
    claimed: certificate.arithmetic,
    problem: certificate.problem,
    failure,
    total,
    outputs,
  };
}

/** What was proved, or which step failed, in plain sentences. */
function verdictLines({ certificate, verification: { failure, total } }: VerifiedFile): string[] {
  if (failure !== null || total === null) {
    const lines = [`NOT verified: ${failure?.step}: ${failure?.reason}.`];
    if (certificate.arithmetic === "floating-point") {
      lines.push("The certificate itself claims no more than floating-point arithmetic.");
    }
    return lines;
  }
  const { loss, scaling, beta, bias, rows, features } = certificate.problem;
  const isOne = certificate.outputs.length === 1;
  const nobody = isOne
    ? "no two-layer ReLU network of any width"
    : `no set of ${certificate.outputs.length} two-layer ReLU networks of any width, one a class,`;
  return [
    `Verified: ${nobody} has a training objective below ${formatNumber(total.lower, "down")}; ${isOne ? "this one has" : "these have"} at most ${formatNumber(total.upper, "up")}, within ${formatGap(total.gap)} of the global minimum.`,
    "Rigorous: every inequality was checked with proven bounds of all rounding errors.",
    `Objective: ${scaling === "mean" ? "mean" : "summed"} ${loss} loss, beta ${formatNumber(beta)}, bias ${bias}; ${plural(rows, "row")}, ${plural(features, "feature")}.`,
  ];
}
