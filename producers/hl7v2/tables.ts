/** A run of numbered triggers, e.g. A01 to A62. */
function run(letter: string, from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => letter + String(from + index).padStart(2, "0"));
}

/** Trigger events of HL7 v2 (table 0003), the versions 2.1 to 2.9 together. */
export const triggerEvents: ReadonlySet<string> = new Set([
  ...run("A", 1, 55),
  ...run("A", 60, 62),
  ...run("B", 1, 8),
  ...run("C", 1, 12),
  "CNQ",
  ...run("E", 1, 4),
  ...["E10", "E12", "E13", "E15", "E20", "E21", "E22", "E24", "E30", "E31"],
  ...run("I", 1, 22),
  ...["J01", "J02", "K11", "K13", "K15", "K21", "K22", "K23", "K24", "K25", "K31", "K32", "K33", "K34"],
  ...run("M", 1, 18),
  "N01",
  "N02",
  ...run("O", 1, 59),
  ...run("P", 1, 12),
  ...["PC1", "PC2", "PC3", "PC4", "PC5", "PC6", "PC7", "PC8", "PC9"],
  ...["PCA", "PCB", "PCC", "PCD", "PCE", "PCF", "PCG", "PCH", "PCJ", "PCK", "PCL"],
  ...run("Q", 1, 9),
  ...run("Q", 11, 17),
  ...run("Q", 20, 32),
  "Q40",
  ...run("R", 1, 11),
  ...run("R", 21, 44),
  "ROR",
  ...run("S", 1, 37),
  ...run("T", 1, 12),
  ...run("U", 1, 14),
  ...run("V", 1, 4),
  "W01",
  "W02",
  "Varies",
]);

/** Message types of HL7 v2 (table 0076), the versions 2.1 to 2.9 together. */
export const messageTypes: ReadonlySet<string> = new Set(
  (
    "ACK ADR ADT ARD BAR BPS BRP BRT BTS CCF CCI CCM CCQ CCR CCU CQU CRM CSU DBC DBU DEL DEO DER DFT DOC DPR DRC DRG DSR " +
    "EAC EAN EAR EDR EHC EQQ ERP ERQ ESR ESU INR INU LSR LSU MCF MDM MFD MFK MFN MFQ MFR NMD NMQ NMR OMB OMD OMG OMI OML " +
    "OMN OMP OMQ OMS OPL OPR OPU ORA ORB ORD ORF ORG ORI ORL ORM ORN ORP ORR ORS ORU ORX OSM OSQ OSR OSU OUL PEX PGL PIN " +
    "PMU PPG PPP PPR PPT PPV PRR PTR QBP QCK QCN QRF QRY QSB QSX QVR RAR RAS RCI RCL RDE RDO RDR RDS RDY REF RER RGR RGV " +
    "ROR RPA RPI RPL RPR RQA RQC RQI RQP RQQ RRA RRD RRE RRG RRI RRO RSP RTB SCN SDN SDR SIU SLN SLR SMD SPQ SQM SQR SRM " +
    "SRR SSR SSU STC STI SUR TBR TCR TCU UDF UDM VQQ VXQ VXR VXU VXX"
  ).split(" "),
);

/** Triggers that put one patient's identifier in the place of another's; each MRG belongs to the PID before it. */
export const mergeTriggers: ReadonlySet<string> = new Set(["A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47"]);

/** Triggers that mean nothing without an MRG segment. */
export const mergeSegmentTriggers: ReadonlySet<string> = new Set([...mergeTriggers, "A35", "A41", "A42", "A43", "A45"]);

/** Message types that are about a patient, so that PID is required. */
export const patientMessageTypes: ReadonlySet<string> = new Set(["ADT", "DFT", "BAR", "MDM"]);

/** Fields that hold a time or a date and are checked, by segment. */
export const dateFields: Readonly<Record<string, readonly number[]>> = {
  MSH: [7],
  EVN: [2, 6],
  PID: [7, 29],
  PV1: [44, 45],
  OBR: [7, 8, 22],
  OBX: [14],
  FT1: [4, 5],
};
