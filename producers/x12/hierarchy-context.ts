import type { Segment } from "./tokenizer.js";

/** What a status or eligibility set (270, 271, 276, 277) has said before a person. */
export interface HierarchyContext {
  readonly date: string;
  readonly time: string;
  /** HL03 of the level that is being read. */
  readonly level: string;
  /** NM109 of the source (payer, or a clearing house that answers), else its name. */
  readonly source: string;
  readonly providerNpi: string | null;
  /** NPI, else the id given, of the provider. */
  readonly provider: string;
  /** TRN02 of the receiver's level: BHT03 of the batch that a 277CA answers. */
  readonly batch: string;
}

export const emptyHierarchyContext: HierarchyContext = {
  date: "",
  time: "",
  level: "",
  source: "",
  providerNpi: null,
  provider: "",
  batch: "",
};

/** The context after the segments of a set's head, or of the providers between two people. */
export function readHierarchy(context: HierarchyContext, segments: readonly Segment[]): HierarchyContext {
  return segments.reduce(readSegment, context);
}

function readSegment(context: HierarchyContext, segment: Segment): HierarchyContext {
  const at = (index: number): string => (segment.elements[index] ?? "").trim();
  switch (segment.id) {
    case "ST":
      return emptyHierarchyContext;
    case "BHT":
      return { ...context, date: at(4), time: at(5) };
    case "HL":
      if (at(3) === "19") return { ...context, level: "19", providerNpi: null, provider: "" };
      return { ...context, level: at(3) };
    case "NM1": {
      if (context.level === "20") return { ...context, source: at(9) || at(3) };
      const isProvider = context.level === "19" || (context.level === "21" && at(1) === "1P");
      if (!isProvider) return context;
      return { ...context, providerNpi: at(8) === "XX" && at(9) !== "" ? at(9) : null, provider: at(9) };
    }
    case "TRN":
      return context.level === "21" && at(1) === "2" ? { ...context, batch: at(2) } : context;
    default:
      return context;
  }
}
