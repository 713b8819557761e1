import { assetPath } from "./assets.ts";

/** The font of all text in pictures: fonts of the system would draw the same SVG differently on each machine. */
const FONT = { file: "fonts/DejaVuSans.ttf", family: "DejaVu Sans" };

/**
 * A standalone SVG as PNG, all text set in the font that comes with the package; `scale` is pixels of the picture for one
 * of the SVG. Throws an Error when the SVG is not well-formed.
 */
export type SvgToPng = (svg: string, scale: number) => Uint8Array;

/**
 * Loads the program that draws PNG. Its native binary is an optional package of its own, one a platform: null where it
 * is not installed, or where there is none.
 */
export async function loadSvgToPng(): Promise<SvgToPng | null> {
  let resvg: typeof import("@resvg/resvg-js");
  try {
    resvg = await import("@resvg/resvg-js");
  } catch {
    return null;
  }
  return (svg, scale) => {
    const picture = new resvg.Resvg(svg, {
      font: {
        loadSystemFonts: false,
        fontFiles: [assetPath(FONT.file)],
        defaultFontFamily: FONT.family,
        sansSerifFamily: FONT.family,
      },
      fitTo: { mode: "zoom", value: scale },
    });
    return picture.render().asPng();
  };
}
