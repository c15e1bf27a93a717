import type { LaneEvent } from "./events.js";
import type { Opener } from "./ports.js";

/** Opens what is sealed in these events and not yet open, in one call. */
export async function openSealed(events: readonly LaneEvent[], opener: Opener): Promise<void> {
  const closed = events.filter(({ opened, type }) => opened === undefined && type !== undefined);
  if (closed.length === 0) return;
  const contents = await opener.open(
    closed.map(({ type, eventId, sealed }) => ({
      type: type as NonNullable<typeof type>,
      eventId: eventId ?? "",
      sealed: sealed as Buffer,
    })),
  );
  closed.forEach((event, index) => {
    event.opened = contents[index] ?? null;
  });
}
