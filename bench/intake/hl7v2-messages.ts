import { endlessDeliveries } from "../../demo/load.js";

/** Messages for the connections of a bench: all of one person go over one, in the order in which they happened. */
export interface Lanes {
  readonly lanes: readonly (readonly Buffer[])[];
  /** Connection of each message, in the order in which they happened. */
  readonly order: readonly number[];
}

/** Identifiers of PID-3 and MRG-1: who shares one is one person, whatever is merged. */
function personsNamed(message: string): string[] {
  const names: string[] = [];
  for (const segment of message.split(/[\r\n]+/)) {
    const fields = segment.split("|");
    const field = fields[0] === "PID" ? fields[3] : fields[0] === "MRG" ? fields[1] : undefined;
    for (const identifier of field?.split("~") ?? []) {
      const parts = identifier.split("^");
      if (parts[0]) names.push(`${parts[3]}|${parts[0]}`);
    }
  }
  return names;
}

/** Sets of names, joined as they are found together. */
class Groups {
  readonly #parents = new Map<string, string>();

  rootOf(name: string): string {
    let root = name;
    for (let next = this.#parents.get(root); next !== undefined; next = this.#parents.get(root)) root = next;
    if (root !== name) this.#parents.set(name, root);
    return root;
  }

  join(one: string, other: string): void {
    const [left, right] = [this.rootOf(one), this.rootOf(other)];
    if (left !== right) this.#parents.set(right, left);
  }
}

/**
 * Messages of the demo's region that are new and right, the three hospitals in turns.
 * @param count how many; about: the last region is cut off.
 */
export function regionLanes(seed: string, count: number, connections: number): Lanes {
  const messages: { bytes: Buffer; names: string[] }[] = [];
  const sources = (["north", "south", "practice"] as const).map((sender) =>
    endlessDeliveries({ seed, senders: [sender], patients: 2000 }),
  );
  for (let turn = 0; messages.length < count; turn++) {
    const next = sources[turn % sources.length]?.next();
    if (!next || next.done === true) continue;
    const { bytes, expectation } = next.value;
    if (!expectation.accepted || expectation.resend || expectation.reusedId) continue;
    messages.push({ bytes, names: personsNamed(bytes.toString("latin1")) });
  }
  const groups = new Groups();
  for (const { names } of messages) for (const name of names) groups.join(names[0] as string, name);
  const laneOf = new Map<string, number>();
  const lanes: Buffer[][] = Array.from({ length: connections }, () => []);
  const order: number[] = [];
  for (const { bytes, names } of messages) {
    const root = names[0] === undefined ? "" : groups.rootOf(names[0]);
    let lane = laneOf.get(root);
    if (lane === undefined) {
      // The connection with the least to do: the load of all ends at about the same time.
      lane = lanes.reduce((least, { length }, at) => (length < (lanes[least]?.length ?? 0) ? at : least), 0);
      laneOf.set(root, lane);
    }
    lanes[lane]?.push(bytes);
    order.push(lane);
  }
  return { lanes, order };
}
