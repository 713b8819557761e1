import { Resvg } from "@resvg/resvg-js";
import { assetPath } from "./assets.ts";

/** The font of all text in pictures: fonts of the system would draw the same SVG differently on each machine. */
const FONT = { file: "fonts/DejaVuSans.ttf", family: "DejaVu Sans" };

/**
 * A standalone SVG as PNG, all text set in the font that comes with the package.
 *
 * @param scale pixels of the picture for one of the SVG.
 * @throws Error when the SVG is not well-formed.
 */
export function svgToPng(svg: string, scale: number): Uint8Array {
  const picture = new Resvg(svg, {
    font: {
      loadSystemFonts: false,
      fontFiles: [assetPath(FONT.file)],
      defaultFontFamily: FONT.family,
      sansSerifFamily: FONT.family,
    },
    fitTo: { mode: "zoom", value: scale },
  });
  return picture.render().asPng();
}
