import { writeDeepOnnx, writeOnnx, writeSafetensors } from "../formats/index.ts";
import { readBytes } from "../platform/files.ts";
import { baseName, folderOf } from "../platform/run-files.ts";
import type { RunFile } from "./fit-types.ts";
import { findModel, readModel } from "./predict.ts";
import { readRun, stemOf } from "./run-store.ts";
import { findDeepModel } from "./training/predict.ts";

/**
 * The network of a run, or of a model file, as a file named after its data.
 *
 * @param word what {@link findModel} takes.
 * @throws UserError when there is no such model.
 */
export function exportModel(
  runsFolder: string,
  word: string,
  format: "onnx" | "safetensors",
  float64: boolean,
): RunFile {
  const file = findModel(runsFolder, word);
  const deep = findDeepModel(file);
  // A model file that is named itself need not lie in a run.
  const stem = file === word ? stemOf(file) : readRun(folderOf(file), true, [baseName(file)]).record.stem;
  const precision = float64 ? ({ precision: "float64" } as const) : {};
  if (deep !== null) {
    const bytes = format === "safetensors" ? readBytes(file) : writeDeepOnnx(deep, precision);
    return { name: `${stem}.${format}`, bytes };
  }
  const model = readModel(file);
  if (format === "safetensors") return { name: `${stem}.safetensors`, bytes: writeSafetensors(model) };
  return { name: `${stem}.onnx`, bytes: writeOnnx(model, precision) };
}
