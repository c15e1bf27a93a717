/**
 * What the checker knows about a transaction set: plain data, so that a rule can be read, listed and changed without code.
 * It is the part of the implementation guides that our facts stand on, not the whole of them.
 */
export interface SetSyntax {
  /** Loops in the order in which they are tried; the first is open at ST. */
  readonly loops: readonly LoopRule[];
  /** Elements by segment id. */
  readonly elements: Readonly<Record<string, readonly ElementRule[]>>;
  /** Segments that follow an N1 or NM1 in this order, each run being one loop. */
  readonly afterName: readonly string[];
}

export interface LoopRule {
  readonly name: string;
  /** What opens it: a segment, and where it matters a value of one of its elements. */
  readonly opens?: { readonly segment: string; readonly at?: number; readonly values?: readonly string[] };
  /** Loops that may stand before it. */
  readonly after: readonly string[];
  /** Segments allowed in it besides the one that opens it. */
  readonly allowed: readonly string[];
  /** Segments it must hold, by id, or id and first element: `NM1*85`; alternatives by `|`. */
  readonly requires: readonly string[];
  /** Segments it may hold once, written the same way. */
  readonly once?: readonly string[];
  /** One of these loops must come next; `missing` is the segment that is missed otherwise. */
  readonly before?: { readonly loops: readonly string[]; readonly missing: string };
}

/**
 * `money`: decimal, at most two decimals that count. `decimal`: any R. `number`: N0. `date`: D8. `time`: TM.
 * `dated`: in the format that the element before it names. `composite`: its first component may not be blank.
 */
type ElementType = "text" | "money" | "decimal" | "number" | "date" | "time" | "dated" | "composite";

export interface ElementRule {
  readonly at: number;
  readonly type: ElementType;
  readonly required: boolean;
}

const must = (at: number, type: ElementType = "text"): ElementRule => ({ at, type, required: true });
const may = (at: number, type: ElementType): ElementRule => ({ at, type, required: false });

const name = ["NM1", "PRV", "N2", "N3", "N4", "PER"];

const claimSyntax: SetSyntax = {
  loops: [
    {
      name: "heading",
      after: [],
      allowed: ["ST", "BHT", "REF", ...name],
      requires: ["BHT", "NM1*41", "NM1*40"],
      once: ["BHT", "NM1*41", "NM1*40"],
    },
    {
      name: "billing provider",
      opens: { segment: "HL", at: 3, values: ["20"] },
      after: ["heading", "billing provider", "claim", "other payer", "line"],
      allowed: ["CUR", "REF", ...name],
      requires: ["NM1*85"],
      once: ["NM1*85", "NM1*87"],
    },
    {
      name: "subscriber",
      opens: { segment: "HL", at: 3, values: ["22"] },
      after: ["billing provider", "subscriber", "claim", "other payer", "line"],
      allowed: ["SBR", "PAT", "DMG", "REF", "DTP", ...name],
      requires: ["SBR", "NM1*IL"],
      once: ["SBR", "NM1*IL", "NM1*PR"],
    },
    {
      name: "patient",
      opens: { segment: "HL", at: 3, values: ["23"] },
      after: ["subscriber", "claim", "other payer", "line"],
      allowed: ["PAT", "DMG", "REF", "DTP", ...name],
      requires: ["NM1*QC"],
      once: ["NM1*QC"],
    },
    {
      name: "claim",
      opens: { segment: "CLM" },
      after: ["subscriber", "patient", "claim", "other payer", "line"],
      allowed: "DTP CL1 DN1 DN2 PWK CN1 CUR DSB UR AMT REF K3 NTE CR1 CR2 CR3 CR4 CR5 CR6 CR7 CR8 HSD CRC HI QTY HCP"
        .split(" ")
        .concat(name),
      requires: [],
      before: { loops: ["other payer", "line"], missing: "LX" },
    },
    {
      name: "other payer",
      opens: { segment: "SBR" },
      after: ["claim", "other payer"],
      allowed: ["CAS", "AMT", "DMG", "OI", "MIA", "MOA", "DTP", "REF", ...name],
      requires: ["NM1*IL"],
      once: ["NM1*IL"],
      before: { loops: ["other payer", "line"], missing: "LX" },
    },
    {
      name: "line",
      opens: { segment: "LX" },
      after: ["claim", "other payer", "line"],
      allowed:
        "SV1 SV2 SV3 SV4 SV5 SV6 SV7 TOO PWK DTP QTY MEA CN1 CRC CR1 CR2 CR3 CR4 CR5 REF AMT K3 NTE PS1 HSD HCP LIN CTP SVD CAS LQ FRM IMM TST HI"
          .split(" ")
          .concat(name),
      requires: ["SV1|SV2|SV3|SV4|SV5"],
    },
  ],
  elements: {
    BHT: [must(1), must(2), must(3), must(4, "date"), may(5, "time")],
    NM1: [must(1), must(2)],
    N3: [must(1)],
    N4: [must(1)],
    HL: [must(1, "number"), may(2, "number"), must(3)],
    SBR: [must(1)],
    DMG: [must(1), must(2, "dated")],
    REF: [must(1)],
    CLM: [must(1), must(2, "money"), must(5)],
    DTP: [must(1), must(2), must(3, "dated")],
    HI: [must(1)],
    AMT: [must(1), must(2, "money")],
    CAS: [must(1), must(2), must(3, "money"), ...[6, 9, 12, 15, 18].map((at) => may(at, "money"))],
    LX: [must(1, "number")],
    SV1: [must(1, "composite"), must(2, "money"), may(4, "decimal")],
    SV2: [may(2, "composite"), must(3, "money"), may(5, "decimal")],
    SV3: [must(1, "composite"), must(2, "money"), may(6, "decimal")],
    SVD: [must(1), must(2, "money"), may(3, "composite")],
  },
  afterName: ["N2", "PRV", "N3", "N4", "DMG", "DTP", "REF", "PER"],
};

const remittanceSyntax: SetSyntax = {
  loops: [
    {
      name: "heading",
      after: [],
      allowed: ["ST", "BPR", "NTE", "TRN", "CUR", "REF", "DTM", "N1", "N2", "N3", "N4", "PER", "RDM"],
      requires: ["BPR", "TRN", "N1*PR", "N1*PE"],
      once: ["BPR", "TRN", "N1*PR", "N1*PE"],
    },
    {
      name: "assigned number",
      opens: { segment: "LX" },
      after: ["heading", "assigned number", "payment", "service"],
      allowed: ["TS3", "TS2"],
      requires: [],
    },
    {
      name: "payment",
      opens: { segment: "CLP" },
      after: ["heading", "assigned number", "payment", "service"],
      allowed: ["CAS", "NM1", "MIA", "MOA", "REF", "DTM", "PER", "AMT", "QTY"],
      requires: [],
    },
    {
      name: "service",
      opens: { segment: "SVC" },
      after: ["payment", "service"],
      allowed: ["DTM", "CAS", "REF", "AMT", "QTY", "LQ"],
      requires: [],
    },
    {
      name: "provider adjustment",
      opens: { segment: "PLB" },
      after: ["heading", "assigned number", "payment", "service", "provider adjustment"],
      allowed: [],
      requires: [],
    },
  ],
  elements: {
    // BPR16 is read leniently: a payment is a fact even when its date is not; see translate835.ts.
    BPR: [must(1), must(2, "money"), must(3), must(4)],
    TRN: [must(1), must(2)],
    N1: [must(1)],
    LX: [must(1)],
    CLP: [must(1), must(2), must(3, "money"), must(4, "money"), may(5, "money")],
    CAS: [must(1), must(2), must(3, "money"), ...[6, 9, 12, 15, 18].map((at) => may(at, "money"))],
    NM1: [must(1), must(2)],
    SVC: [must(1, "composite"), must(2, "money"), must(3, "money"), may(5, "decimal")],
    DTM: [must(1), must(2, "date")],
    AMT: [must(1), must(2, "money")],
    REF: [must(1)],
    PLB: [must(1), must(2, "date"), must(3), must(4, "money"), ...[6, 8, 10, 12, 14].map((at) => may(at, "money"))],
  },
  afterName: ["N2", "N3", "N4", "REF", "PER"],
};

/** Sets kept whole: only what they cannot do without. `*` allows any other segment. */
function keptWhole(...requires: readonly string[]): SetSyntax {
  return {
    loops: [{ name: "set", after: [], allowed: ["*"], requires }],
    elements: {
      // When it was written decides which of two answers is the later one.
      BHT: [must(4, "date"), may(5, "time")],
      BGN: [must(3, "date"), may(4, "time")],
      HL: [must(1, "number"), may(2, "number"), must(3)],
      DTP: [must(1), must(2), must(3, "dated")],
    },
    afterName: [],
  };
}

/** Transaction sets we take, by ST01. */
export const setSyntax: Readonly<Record<string, SetSyntax>> = {
  "837": claimSyntax,
  "835": remittanceSyntax,
  "270": keptWhole("BHT", "HL"),
  "271": keptWhole("BHT", "HL"),
  "276": keptWhole("BHT", "HL"),
  "277": keptWhole("BHT", "HL"),
  "278": keptWhole("BHT", "HL"),
  "820": keptWhole("BPR"),
  "834": keptWhole("BGN"),
  "997": keptWhole("AK1", "AK9"),
  "999": keptWhole("AK1", "AK9"),
  "824": keptWhole("BGN"),
};

/** Implementation guides of version 5010 that we know (GS08). */
const knownGuides: ReadonlySet<string> = new Set(
  ["005010"].concat(
    (
      "X186 X186A1 X212 X214 X215 X216 X216E2 X217 X217E1 X217E2 X218 X218A1 X220 X220A1 X221 X221A1 X221E1 X222 X222A1 " +
      "X222A2 X223 X223A1 X223A2 X223A3 X224 X224A1 X224A2 X224A3 X228 X230 X230A1 X231 X231A1 X279 X279A1"
    )
      .split(" ")
      .map((guide) => `005010${guide}`),
  ),
);

/** Whether we take a group of this version: 5010 with a known guide (answered by 999), or 4010 (answered by 997). */
export function isKnownVersion(version: string): boolean {
  return knownGuides.has(version) || /^004010(X\d{3}(A\d)?)?$/.test(version);
}
