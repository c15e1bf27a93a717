import type { Desk } from "./desk.js";
import { cancel, cancelDischarge, cancelTransfer, discharge, mentioned, open, preAdmit, transfer } from "./visit.js";
import { doctors, wards } from "./vocabulary.js";

const bed = ({ random, sender }: Desk): string =>
  `${random.pick(wards)}^${random.between(100, 420)}^${random.pick(["A", "B"])}^${sender.facility}`;

/** Results, charges and corrections while the patient is there. */
function meanwhile(desk: Desk, visit: Parameters<Desk["tell"]>[1], most: number): void {
  for (let i = desk.random.below(most + 1); i > 0; i--) {
    desk.pass(3, 60);
    if (desk.random.chance(150)) desk.amend("A08", visit);
    else desk.tell(desk.random.chance(700) ? "ORU" : "DFT", visit);
  }
}

function inpatient(desk: Desk): void {
  const { random } = desk;
  let visit = mentioned(desk.newVisitNumber(), random.pick(doctors));
  if (random.chance(350)) {
    visit = preAdmit(visit, bed(desk));
    desk.tell("A05", visit);
    desk.pass(20, 120);
  }
  visit = open(visit, "I", bed(desk), desk.pass(1, 5));
  desk.tell("A01", visit);
  meanwhile(desk, visit, 2);
  for (let i = random.below(3); i > 0; i--) {
    desk.pass(10, 120);
    visit = transfer(visit, bed(desk));
    desk.tell("A02", visit);
    if (random.chance(250)) {
      desk.pass(2, 20);
      visit = cancelTransfer(visit);
      desk.tell("A12", visit);
    }
    meanwhile(desk, visit, 1);
  }
  if (random.chance(500)) {
    desk.pass(2, 20);
    desk.amend("A08", visit);
  }
  if (random.chance(750)) {
    visit = discharge(visit, desk.pass(30, 240));
    desk.tell("A03", visit);
    if (random.chance(150)) {
      desk.pass(2, 30);
      visit = cancelDischarge(visit);
      desk.tell("A13", visit);
      if (random.chance(600)) {
        visit = discharge(visit, desk.pass(30, 90));
        desk.tell("A03", visit);
      }
    }
    if (random.chance(200)) {
      desk.pass(1, 30);
      desk.tell("DFT", visit);
    }
  }
  desk.file(visit);
}

function ambulatory(desk: Desk, place: string, most: number): void {
  const { random } = desk;
  let visit = mentioned(desk.newVisitNumber(), random.pick(doctors));
  visit = open(visit, place.startsWith("ED") ? "E" : "O", place, desk.pass(1, 5));
  desk.tell("A04", visit);
  meanwhile(desk, visit, most);
  if (random.chance(930)) {
    visit = discharge(visit, desk.pass(5, 60));
    desk.tell("A03", visit);
  }
  desk.file(visit);
}

/** An admission or pre-admission that did not happen after all. */
function calledOff(desk: Desk): void {
  const { random } = desk;
  let visit = mentioned(desk.newVisitNumber(), random.pick(doctors));
  if (random.chance(500)) {
    visit = open(visit, "I", bed(desk), desk.pass(1, 5));
    desk.tell("A01", visit);
    visit = cancel(visit, desk.pass(2, 60));
    desk.tell("A11", visit);
  } else {
    visit = preAdmit(visit, bed(desk));
    desk.tell("A05", visit);
    if (random.chance(600)) {
      visit = cancel(visit, desk.pass(5, 90));
      desk.tell("A38", visit);
    }
  }
  desk.file(visit);
}

/** A laboratory's result for a visit that the registration never told of. */
function hearsay(desk: Desk): void {
  const visit = mentioned(desk.newVisitNumber(), desk.random.pick(doctors));
  desk.pass(1, 5);
  desk.tell("ORU", visit);
  desk.file(visit);
}

/** One visit to a hospital, from what is told first to what is told last. */
export function hospitalVisit(desk: Desk): void {
  const draw = desk.random.below(100);
  if (draw < 36) inpatient(desk);
  else if (draw < 86) ambulatory(desk, `${desk.random.pick(["ED", "OPD", "CLI"])}^^^${desk.sender.facility}`, 3);
  else if (draw < 98) calledOff(desk);
  else hearsay(desk);
}

/** One visit to a doctor's office. */
export function officeVisit(desk: Desk): void {
  ambulatory(desk, `OFF^${desk.random.between(1, 6)}^^${desk.sender.facility}`, 3);
}
