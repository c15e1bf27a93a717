import { DAY, HOUR, MINUTE, SECOND } from "./calendar.js";
import { askPerson, type Chart, correct, openChart } from "./chart.js";
import type { Desk } from "./desk.js";
import type { MessageKind, PlannedMessage } from "./message.js";
import type { Person } from "./population.js";
import type { Random } from "./random.js";
import type { HospitalSender } from "./senders.js";
import { hospitalVisit, officeVisit } from "./stories.js";
import type { Visit } from "./visit.js";

/** Everything that one hospital did and has to tell, and its own books at the end: the truth about it. */
export interface HospitalBooks {
  readonly sender: HospitalSender;
  readonly charts: Chart[];
  /** The last state of each visit, and the chart it belongs to. */
  readonly visits: { readonly visit: Visit; readonly chart: Chart }[];
  /** One list a visit or office matter, each in the order of the events. */
  readonly matters: PlannedMessage[][];
}

export interface HospitalSpan {
  /** Epoch milliseconds of the first day's midnight in UTC. */
  readonly from: number;
  readonly days: number;
  /** Added to every number given out, so that several regions can be played into one engine. */
  readonly firstNumber: number;
}

const pad = (number: number): string => String(number).padStart(6, "0");

/** Plays one sender's share of the region: each of its patients lives through his matters, one after the other. */
export function runHospital(
  sender: HospitalSender,
  persons: readonly Person[],
  span: HospitalSpan,
  random: Random,
): HospitalBooks {
  const books: HospitalBooks = { sender, charts: [], visits: [], matters: [] };
  let records = span.firstNumber;
  let visits = span.firstNumber;

  const newChart = (person: Person, linked: boolean): Chart => {
    const chart = openChart(person, sender, sender.letter + pad(++records), linked, random);
    books.charts.push(chart);
    return chart;
  };

  const live = (chart: Chart, from: number, matters: number): number => {
    let now = from;
    let matter: PlannedMessage[] = [];
    const desk: Desk = {
      random,
      sender,
      pass: (low, high) => {
        now += random.between(low * 60, high * 60) * SECOND + SECOND;
        return now;
      },
      tell: (kind, visit, cleared = [], retired) => {
        chart.demographics ??= askPerson(chart.person, sender);
        const brief = (kind === "ORU" || kind === "DFT") && sender.name === "practice";
        const salt = random.next();
        const sendAt = now + random.between(1, 20) * SECOND;
        const demographics = chart.demographics;
        matter.push({
          kind,
          at: now,
          chart,
          demographics,
          cleared,
          brief,
          visit,
          retired: retired ?? null,
          salt,
          sendAt,
        });
      },
      amend: (kind, visit) => {
        const { now: amended, cleared } = correct(chart.demographics ?? askPerson(chart.person, sender), random);
        chart.demographics = amended;
        desk.tell(kind, visit, cleared);
      },
      newVisitNumber: () => `V${pad(++visits)}`,
      file: (visit) => books.visits.push({ visit, chart }),
    };
    const close = (): void => {
      if (matter.length > 0) books.matters.push(matter);
      matter = [];
    };
    const tellOffice = sender.name === "practice" ? officeVisit : hospitalVisit;
    if (random.chance(250)) desk.tell("A28", null);
    for (let i = 0; i < matters; i++) {
      desk.pass(2, 90);
      tellOffice(desk);
      close();
    }
    desk.pass(1, 60);
    if (random.chance(150)) desk.amend("A31", null);
    close();
    return now;
  };

  /** Merges `from` into `into`, at a time after all that either has lived through; gives that time. */
  const merge = (from: Chart | string, into: Chart, after: number): number => {
    const at = after + random.between(60, 1800) * SECOND;
    const kind = random.pick(["A40", "A40", "A34", "A18"] as const);
    const retired = typeof from === "string" ? from : from.recordNumber;
    into.demographics ??= askPerson(into.person, sender);
    const told = (what: MessageKind, chart: Chart, when: number, number: string | null): PlannedMessage => ({
      kind: what,
      at: when,
      chart,
      demographics: chart.demographics ?? askPerson(chart.person, sender),
      cleared: [],
      brief: false,
      visit: null,
      retired: number,
      salt: random.next(),
      sendAt: when + SECOND,
    });
    books.matters.push([told(kind, into, at, retired)]);
    if (typeof from === "string") {
      const unseen = openChart(into.person, sender, from, false, random);
      unseen.mergedInto = into;
      books.charts.push(unseen);
      return at;
    }
    from.mergedInto = into;
    // A laboratory that has not heard of the merge yet still writes the old number.
    if (random.chance(250)) books.matters.push([told("ORU", from, at + random.between(60, 900) * SECOND, null)]);
    return at;
  };

  const opening = (): number => {
    const day = span.from + random.below(span.days) * DAY;
    if (sender.name === "practice") return day + 13 * HOUR + random.below(7 * 60) * MINUTE;
    return day + random.below(20 * 60) * MINUTE;
  };

  for (const person of persons) {
    const chart = newChart(person, true);
    let now = live(chart, opening(), random.chance(300) ? 2 : 1);
    if (random.chance(40)) {
      const twin = newChart(person, false);
      now = live(twin, now, 1);
      if (random.chance(300)) {
        const third = newChart(person, false);
        now = live(third, now, 1);
        now = merge(twin, third, now);
        merge(third, chart, now);
      } else if (random.chance(850)) merge(twin, chart, now);
    } else if (random.chance(8)) merge(sender.letter + pad(++records), chart, now);
  }
  return books;
}
