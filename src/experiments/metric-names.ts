const NAMES: Readonly<Record<string, string>> = {
  rmse: "RMSE",
  mae: "MAE",
  r2: "R²",
  auc: "AUC",
  logLoss: "log-loss",
};

const RECALL = "recall:";

/** The name of a metric for people: `logLoss` -> `log-loss`, `recall:setosa` -> `recall of setosa`. */
export function metricName(key: string): string {
  if (key.startsWith(RECALL)) return `recall of ${key.slice(RECALL.length)}`;
  return NAMES[key] ?? key;
}

/** Whether a metric is a share of the rows, shown in per cent. */
export function isShare(key: string): boolean {
  return key === "accuracy" || key.startsWith(RECALL);
}
