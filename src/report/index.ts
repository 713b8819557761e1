/**
 * The report layer turns plain JSON series into one HTML page: text, tables and charts, each chart a pure function from
 * a series to an SVG string. It knows how to show objectives, bounds, losses and predictions; it must not know how they
 * were computed, where they are stored or who asks for them, and it trusts no word of its input.
 */
export { renderReport } from "./render.ts";
export { renderFigures, renderLines, renderPlane } from "./standalone.ts";
export type {
  ConvergencePoint,
  ConvergenceSeries,
  CurvePicture,
  LineFigure,
  NeuronPanel,
  NeuronRow,
  RegionsPicture,
  ReportTable,
  RocCurve,
  RunReport,
} from "./types.ts";
