import type { Adjustment, Claim, Decision, ServiceLine, Submission } from "./claim.js";
import { reverse } from "./claim.js";
import type { Person } from "./population.js";
import type { Random } from "./random.js";
import { hospitals } from "./senders.js";
import { procedures } from "./vocabulary.js";

/** The stories that a claim may have, with how many of 1,000 claims have each. */
const fates = {
  paid: 600,
  deductible: 75,
  denied: 80,
  unanswered: 60,
  reversed: 30,
  correctedAtOnce: 30,
  correctedLater: 30,
  replaced: 30,
  resubmitted: 20,
  voided: 20,
  unbalanced: 15,
  neverSubmitted: 10,
} as const;
type Fate = keyof typeof fates;

/** What billing offices and payer have to say, by rounds: later rounds are later in time, whatever arrives first. */
export interface Ledger {
  readonly claims: Claim[];
  /** 837: first submissions, then replacements and voids. */
  readonly submissions: readonly [Submission[], Submission[]];
  /** 835: first decisions, then reversals, then corrections. */
  readonly decisions: readonly [Decision[], Decision[], Decision[]];
}

function drawFate(random: Random): Fate {
  let draw = random.below(1000);
  for (const [fate, weight] of Object.entries(fates)) {
    if (draw < weight) return fate as Fate;
    draw -= weight;
  }
  return "paid";
}

function drawLines(random: Random): ServiceLine[] {
  return Array.from({ length: random.between(1, 5) }, () => ({
    procedure: random.pick(procedures),
    charge: random.between(1_500, 90_000),
  }));
}

/** Bills and settles claims for these persons. @param firstNumber added to every number given out */
export function keepLedger(persons: readonly Person[], firstNumber: number, random: Random): Ledger {
  const ledger: Ledger = { claims: [], submissions: [[], []], decisions: [[], [], []] };
  let claims = firstNumber;
  let payerNumbers = firstNumber;

  const newClaim = (person: Person, place: Claim["provider"], dependent: boolean): Claim => {
    const number = `${place.letter}C${String(++claims).padStart(6, "0")}`;
    const claim: Claim = {
      number,
      provider: place,
      person,
      dependent,
      submissions: [],
      decisions: [],
      replaces: null,
      replaced: false,
    };
    ledger.claims.push(claim);
    return claim;
  };
  const submit = (round: 0 | 1, submission: Submission): void => {
    ledger.submissions[round].push(submission);
    submission.claim.submissions.push({ submission, at: 0 });
  };
  const decide = (round: 0 | 1 | 2, decision: Decision): Decision => {
    ledger.decisions[round].push(decision);
    decision.claim.decisions.push({ decision, day: 0 });
    return decision;
  };
  const payerNumber = (): string => `I${String(++payerNumbers).padStart(9, "0")}`;
  const decision = (
    claim: Claim,
    lines: readonly ServiceLine[],
    adjust: (line: ServiceLine, index: number) => Adjustment[],
    itemised: boolean,
  ): Decision => {
    const adjustments = lines.flatMap(adjust);
    const paid = lines.map((line, index) =>
      adjustments.reduce((left, one) => (one.line === index ? left - one.amount : left), line.charge),
    );
    return { claim, status: "1", lines, paid, adjustments, payerNumber: payerNumber(), itemised, gap: 0 };
  };
  /** Pays what the contract allows, less the patient's share; both in whole percents, rounded down to the cent. */
  const pay = (claim: Claim, lines: readonly ServiceLine[]): Decision => {
    const discount = random.pick([0, 20, 30, 45]);
    const share = random.pick([0, 0, 10, 20]);
    const adjust = (line: ServiceLine, index: number): Adjustment[] => {
      const written = Math.floor((line.charge * discount) / 100);
      const own = Math.floor(((line.charge - written) * share) / 100);
      const all: Adjustment[] = [
        { line: index, group: "CO", reason: "45", amount: written },
        { line: index, group: "PR", reason: "2", amount: own },
      ];
      return all.filter((one) => one.amount !== 0);
    };
    return decision(claim, lines, adjust, random.chance(700));
  };
  const refuse = (claim: Claim, lines: readonly ServiceLine[]): Decision => {
    const reason = random.pick(["29", "50", "197"]);
    return {
      ...decision(claim, lines, (line, index) => [{ line: index, group: "CO", reason, amount: line.charge }], false),
      status: "4",
    };
  };

  const live = (person: Person): void => {
    const claim = newClaim(person, hospitals[random.pick(person.places)], random.chance(100));
    const lines = drawLines(random);
    const fate = drawFate(random);
    if (fate !== "neverSubmitted") submit(0, { claim, frequency: "1", reference: null, lines });
    switch (fate) {
      case "unanswered":
        return;
      case "denied":
        decide(0, refuse(claim, lines));
        return;
      case "deductible": {
        decide(
          0,
          decision(
            claim,
            lines,
            (line, index) => [{ line: index, group: "PR", reason: "1", amount: line.charge }],
            true,
          ),
        );
        return;
      }
      case "unbalanced": {
        decide(0, { ...pay(claim, lines), itemised: false, gap: 100 });
        return;
      }
      case "resubmitted": {
        const refused = decide(0, refuse(claim, lines));
        const next = newClaim(person, claim.provider, claim.dependent);
        next.replaces = claim;
        claim.replaced = true;
        submit(1, { claim: next, frequency: "7", reference: refused.payerNumber, lines });
        decide(2, pay(next, lines));
        return;
      }
      default: {
        const first = decide(0, pay(claim, lines));
        if (fate === "paid" || fate === "neverSubmitted") return;
        if (fate === "voided") submit(1, { claim, frequency: "8", reference: first.payerNumber, lines });
        if (fate === "replaced") {
          const more = [...lines, { procedure: random.pick(procedures), charge: 2_500 }];
          submit(1, { claim, frequency: "7", reference: first.payerNumber, lines: more });
          decide(1, reverse(first));
          decide(2, pay(claim, more));
          return;
        }
        decide(1, reverse(first));
        if (fate === "correctedAtOnce") decide(1, pay(claim, lines));
        if (fate === "correctedLater") decide(2, pay(claim, lines));
      }
    }
  };
  for (const person of persons) if (random.chance(950)) live(person);
  return ledger;
}
