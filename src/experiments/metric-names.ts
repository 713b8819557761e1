const NAMES: Readonly<Record<string, string>> = {
  rmse: "RMSE",
  mae: "MAE",
  r2: "R²",
  auc: "AUC",
  logLoss: "log-loss",
};

const RECALL = "recall:";

/** The name of a metric for people: `logLoss` -> `log-loss`, `recall:setosa` -> `recall of setosa`, `rmse:price` -> `RMSE of price`. */
export function metricName(key: string): string {
  const [, kind, of] = /^(recall|rmse|r2):(.*)$/s.exec(key) ?? [];
  return kind === undefined ? (NAMES[key] ?? key) : `${NAMES[kind] ?? kind} of ${of}`;
}

/** Whether a metric is a share of the rows, shown in per cent. */
export function isShare(key: string): boolean {
  return key === "accuracy" || key.startsWith(RECALL);
}
