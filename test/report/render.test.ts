import fc from "fast-check";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { type RunReport, renderReport } from "../../src/report/index.ts";
import { curve, history, panel, regions, reports, roc } from "./fixtures.ts";

function parse(page: string) {
  return parseHTML(page).document;
}

/** All element names a report is made of. */
const ELEMENTS = new Set(
  (
    "html head meta title style body header main footer section figure figcaption div h1 h2 h3 p b dl dt dd pre " +
    "table thead tbody tr th td svg g path circle line rect text tspan"
  ).split(" "),
);

/** A report whose every word is `text`. */
function saying(text: string): RunReport {
  const { regression } = reports();
  return {
    ...regression,
    title: text,
    subtitle: text,
    verdict: [text, text],
    scope: text,
    convergence: [history(3), history(3)].map((points) => ({ label: text, points })),
    validation: null,
    predictions: { actual: [1, 2], predicted: [1, 3], name: text },
    badge: text,
    roc: [roc(text, 0.9), roc(text, 0.8)],
    neurons: panel(7, [text, text], text),
    picture: { ...regions([text, text, text]), features: [text, text], output: text },
    confusion: {
      labels: [text, text],
      counts: [
        [1, 2],
        [3, 4],
      ],
    },
    tables: [
      {
        title: text,
        columns: [text, text],
        rows: [
          [text, 1],
          [text, text],
        ],
        note: text,
      },
    ],
    reproduce: [text],
    footer: text,
  };
}

/** No element, attribute or address that the renderer does not write itself. */
function expectInert(page: string): void {
  const document = parse(page);
  for (const element of document.querySelectorAll("*")) {
    const name = element.tagName.toLowerCase();
    expect(ELEMENTS.has(name), name).toBe(true);
    for (const attribute of element.attributes) {
      expect(attribute.name).not.toMatch(/^on|^href$|^src$|^xlink/i);
      if (attribute.name === "style") throw new Error("a style attribute");
    }
  }
}

describe("renderReport", () => {
  it.each(Object.entries(reports()))("renderReport draws the %s fixture as one self-contained page", (_, report) => {
    const page = renderReport(report);
    expectInert(page);
    expect(page).not.toMatch(/NaN|undefined|\[object|⚠/);
    // Nothing is fetched: the only address is the name of the SVG vocabulary.
    expect([...page.matchAll(/https?:[^"\s<]*/g)].every((match) => match[0] === "http://www.w3.org/2000/svg")).toBe(
      true,
    );
    expect(page).not.toMatch(/@import|url\(/);
    expect(renderReport(report)).toBe(page);
    const document = parse(page);
    expect(document.querySelector("title")?.textContent).toBe(report.title);
    expect(document.querySelector(".headline")?.textContent).toBe(report.verdict[0]);
    expect(document.body.textContent).toContain(report.footer);
  });

  it("renderReport says the status in words", () => {
    const { certified, binary, interrupted } = reports();
    for (const report of [
      certified,
      binary,
      interrupted,
      { ...binary, status: "unbounded", badge: "Not bounded" } as const,
    ]) {
      const document = parse(renderReport(report));
      expect(document.querySelector(".status")?.textContent?.trim()).toBe(report.badge);
      expect(document.querySelector(".verdict")?.getAttribute("class")).toBe(`verdict ${report.status}`);
    }
  });

  it("renderReport has the figures that the data allow, in the order of reading", () => {
    const titles = (report: RunReport) =>
      [...parse(renderReport(report)).querySelectorAll("figure h2")].map((title) => title.textContent);
    const { binary, regression, classes, letters } = reports();
    expect(titles(binary)).toEqual([
      "The network",
      "Convergence",
      "Gap",
      "Held-out predictions",
      "ROC curve",
      "Hidden neurons",
    ]);
    expect(titles(regression)).toEqual([
      "The network",
      "Convergence",
      "Gap",
      "Held-out predictions",
      "Hidden neurons",
      "Choice of β by validation",
    ]);
    expect(titles(classes)).toContain("ROC curves");
    expect(titles(letters)).toEqual(["Convergence", "Gap", "Held-out predictions"]);
    const whole = { ...binary, part: "training" } as const;
    expect(titles(whole)).toContain("Predictions on the training rows");
    expect(renderReport(whole)).not.toMatch(/held-out rows by/);
  });

  it("renderReport without a bound claims none and draws no gap", () => {
    const document = parse(renderReport(reports().interrupted));
    expect(document.querySelector(".scope")?.textContent).toContain("No lower bound was reached");
    const titles = [...document.querySelectorAll("h2")].map((title) => title.textContent);
    expect(titles).toContain("Convergence");
    expect(titles).not.toContain("Gap");
    expect([...document.querySelectorAll("dd")].map((figure) => figure.textContent)).toContain("none yet");
  });

  it("renderReport escapes every word, in text, charts and attributes", () => {
    const attack = `</title></style></script></svg></text>"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;b&gt;`;
    const drawn = { ...curve([attack, attack], [attack, attack]), feature: attack, output: attack };
    expectInert(renderReport({ ...saying(attack), picture: drawn }));
    const page = renderReport(saying(attack));
    expectInert(page);
    expect(page).not.toContain("<script");
    expect(page).not.toContain("<img");
    const document = parse(page);
    expect(document.querySelector("h1")?.textContent).toBe(attack);
    expect(document.querySelector("tbody th")?.textContent).toBe(attack);
  });

  it("renderReport is inert for any text", () => {
    const pieces = fc.constantFrom(
      "<",
      ">",
      '"',
      "'",
      "&",
      "</",
      "/>",
      "<!--",
      "-->",
      "<![CDATA[",
      "]]>",
      "&#60;",
      "script",
      "svg",
      "style",
      "=",
      "`",
      " ",
      "\n",
      "\0",
      "on",
      "a",
    );
    const text = fc.oneof(
      fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join("")),
      fc.string({ unit: "binary" }),
    );
    fc.assert(
      fc.property(text, (words) => expectInert(renderReport(saying(words)))),
      { numRuns: 40 },
    );
  });

  it("renderReport shows missing numbers as a dash, also after a trip through JSON", () => {
    const report: RunReport = {
      ...reports().binary,
      tables: [
        {
          title: "t",
          columns: ["model", "loss"],
          rows: [
            ["a", Number.NaN],
            ["b", 0.5],
          ],
        },
      ],
    };
    for (const one of [report, JSON.parse(JSON.stringify(report)) as RunReport]) {
      const cells = [...parse(renderReport(one)).querySelectorAll("tbody td")].map((cell) => cell.textContent);
      expect(cells).toEqual(["–", "0.5"]);
    }
  });

  it("renderReport draws empty reports and empty tables", () => {
    const page = renderReport({
      ...reports().interrupted,
      verdict: [],
      convergence: [],
      validation: [],
      tables: [
        { title: "nothing", columns: ["a"], rows: [] },
        { title: "no column", columns: [], rows: [] },
      ],
      reproduce: [],
      footer: "",
    });
    expectInert(page);
    expect(page).toContain("No rows.");
  });

  it("renderReport skips series without points but lists them", () => {
    const page = renderReport({
      ...reports().classes,
      convergence: [
        { label: "never started", points: [] },
        { label: "first", points: history(4) },
        { label: "second", points: history(1) },
      ],
    });
    expectInert(page);
    expect([...parse(page).querySelectorAll(".panels h3")].map((title) => title.textContent)).toEqual([
      "first",
      "second",
    ]);
    expect(page).toContain("never started");
  });

  it("renderReport refuses ragged tables, with both sizes", () => {
    const tables = [{ title: "t", columns: ["a", "b"], rows: [["x"]] }];
    expect(() => renderReport({ ...reports().binary, tables })).toThrow(/row 0 .* 1 cells, the table 2 columns/);
  });
});
