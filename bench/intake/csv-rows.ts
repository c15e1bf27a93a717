/** A kind of file: its header, and a row by number. The same number is the same row, whoever asks. */
export interface RowKind {
  /** Partner whose profile reads it. */
  readonly partner: string;
  readonly header: string;
  row(number: number): string;
  /** Cents that the row's event must say were paid; null: its event tells none. */
  paid(number: number): number | null;
}

const pad = (value: number, length: number) => String(value).padStart(length, "0");
const money = (cents: number) => `${Math.floor(cents / 100)}.${pad(cents % 100, 2)}`;

/** Payments of an insurer: three claims a member, three hundred claims a remittance; about 105 bytes a row. */
export const remitRows: RowKind = {
  partner: "journeys-remit",
  header: "CLAIM_ID,ICN,KIND,MEMBER_ID,MEMBER_NAME,CHARGE,PAID,PATIENT_RESP,PAID_DATE,TRACE,NOTE\r\n",
  row(number) {
    const member = Math.floor(number / 3);
    const charge = 1_000 + (number % 90_000);
    const day = new Date(Date.UTC(2024, 0, 1) + (Math.floor(number / 300) % 700) * 86_400_000).toISOString();
    return [
      `${number % 2 === 0 ? "NC" : "SC"}${pad(number, 8)}`,
      `I${pad(number, 9)}`,
      "PAYMENT",
      `M${pad(member, 9)}`,
      `"Family${member % 5_000}, Given${member % 900}"`,
      money(charge),
      money(paidOf(number)),
      money(charge - paidOf(number)),
      day.slice(0, 10),
      `T${pad(Math.floor(number / 300), 8)}a`,
      number % 20 === 0 ? '"said ""call back"""' : "",
    ]
      .join(",")
      .concat("\r\n");
  },
  paid: paidOf,
};

function paidOf(number: number): number {
  return Math.floor(((1_000 + (number % 90_000)) * 4) / 5);
}

/** Members of an insurer with the record numbers of two hospitals; every row is another person; about 70 bytes. */
export const memberRows: RowKind = {
  partner: "journeys-members",
  header: "member_id;last;first;birth_date;gender;zip;north_mrn;south_mrn\n",
  row(number) {
    const born = new Date(Date.UTC(1930, 0, 1) + (number % 30_000) * 86_400_000).toISOString();
    const south = number % 40 === 0 ? `S${pad(number, 8)}/S9${pad(number, 7)}` : `S${pad(number, 8)}`;
    return [
      `M${pad(number, 9)}`,
      `Family${number % 5_000}`,
      `Given${number % 900}`,
      born.slice(0, 10),
      number % 2 === 0 ? "F" : "M",
      pad(number % 99_999, 5),
      number % 3 === 0 ? "" : `N${pad(number, 8)}`,
      number % 3 === 1 ? "" : south,
    ]
      .join(";")
      .concat("\n");
  },
  paid: () => null,
};

/** A file of rows in pieces of some hundred kilobytes. */
export function* rowsOf(kind: RowKind, from: number, to: number): Generator<string> {
  let piece = kind.header;
  for (let number = from; number < to; number++) {
    piece += kind.row(number);
    if (piece.length < 262_144) continue;
    yield piece;
    piece = "";
  }
  yield piece;
}
