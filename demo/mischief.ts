import { HOUR, MINUTE, SECOND } from "./calendar.js";
import type { HospitalBooks } from "./hospital.js";
import type { Flaw, PlannedMessage, Sending } from "./message.js";
import type { Random } from "./random.js";

const flaws: readonly Flaw[] = ["noControlId", "noPatientId", "badDate", "unknownTrigger", "truncated", "cutHeader"];

/** Control ids set aside for each person, so that regions played into one engine share none. */
const idsOfPerson = 1000;

/** Holds messages of one visit up on the way, so that they arrive after what happened later. */
function holdUp(matter: readonly PlannedMessage[], random: Random): void {
  const end = matter.find((one) => one.kind === "A03");
  if (end === undefined) return;
  const late = end.sendAt + random.between(5, 240) * MINUTE;
  const correction = matter.findLast((one) => one.kind === "A08" && one.at < end.at);
  const start = matter.find((one) => one.kind === "A01" || one.kind === "A04");
  if (correction !== undefined && random.chance(350)) correction.sendAt = late;
  else if (start !== undefined && random.chance(30)) start.sendAt = late;
  else if (random.chance(30)) random.pick(matter).sendAt = late;
}

/** Something told of a visit that never was and under a name nobody has: if it got in, the rows would show it. */
function spoil(message: PlannedMessage, flaw: Flaw, number: number, sendAt: number, order: number): Sending {
  const visit = message.visit === null ? null : { ...message.visit, number: `X${String(number).padStart(6, "0")}` };
  const demographics = { ...message.demographics, family: "Never", given: "Accepted", birthDate: "1900-01-01" };
  const told: PlannedMessage = {
    ...message,
    kind: "A04",
    at: message.at + SECOND,
    visit,
    demographics,
    cleared: [],
    brief: false,
  };
  return { message: told, sendAt, writtenAt: sendAt, order, controlId: "", flaw, resend: false, reused: false };
}

const inOrder = (a: Sending, b: Sending): number => a.sendAt - b.sendAt || a.order - b.order;

/**
 * The order in which one sender's messages leave it, with all that goes wrong on the way: messages held up, control ids
 * used twice, the same bytes sent again, spoilt messages.
 * @param firstNumber of the region's numbers: its control ids begin there too.
 */
export function planSendings(books: HospitalBooks, firstNumber: number, random: Random): Sending[] {
  const { sender } = books;
  const sendings: Sending[] = [];
  let order = 0;
  let spoilt = 0;
  for (const matter of books.matters) {
    holdUp(matter, random);
    for (const message of matter) {
      const sending = {
        message,
        sendAt: message.sendAt,
        writtenAt: message.sendAt,
        order: order++,
        controlId: "",
        flaw: null,
        resend: false,
        reused: false,
      };
      sendings.push(sending);
      if (random.chance(10)) {
        const flaw = flaws[spoilt % flaws.length] as Flaw;
        sendings.push(spoil(message, flaw, ++spoilt, message.sendAt + 2 * SECOND, order++));
      }
    }
    const last = matter.at(-1);
    // Master files name no patient: taken in, kept, and of no consequence.
    if (last !== undefined && sender.name !== "practice" && random.chance(5)) {
      const told: PlannedMessage = { ...last, kind: "MFN", visit: null };
      sendings.push({
        message: told,
        sendAt: last.sendAt + SECOND,
        writtenAt: last.sendAt + SECOND,
        order: order++,
        controlId: "",
        flaw: null,
        resend: false,
        reused: false,
      });
    }
  }
  sendings.sort(inOrder);

  const again: Sending[] = [];
  sendings.forEach((sending, index) => {
    const number = firstNumber * idsOfPerson + index + 1;
    sending.controlId =
      sender.name === "north"
        ? `N${String(number).padStart(8, "0")}`
        : sender.name === "south"
          ? `${number}`
          : `P-${number}`;
    if (sending.flaw !== null) return;
    const earlier = sendings[index - random.between(1, 40)];
    if (earlier !== undefined && earlier.flaw === null && sending.message.kind !== "MFN" && random.chance(6)) {
      sending.controlId = earlier.controlId;
      sending.reused = true;
    } else if (random.chance(15)) {
      const delay = random.chance(700) ? random.between(5, 90) * SECOND : random.between(1, 4) * HOUR;
      again.push({ ...sending, sendAt: sending.sendAt + delay, order: order++, resend: true });
    }
  });
  return [...sendings, ...again].sort(inOrder);
}
