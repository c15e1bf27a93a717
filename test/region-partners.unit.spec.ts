import { describe, expect, it } from "vitest";
import { senders } from "../demo/senders.js";
import { loadConnector } from "../engine/service/discover.js";
import { loadProfiles } from "../engine/service/profiles.js";

interface Matching {
  readonly match?: readonly { readonly application?: string; readonly facility?: string }[];
  readonly timezone?: string;
  readonly senders?: readonly string[];
  readonly receivers?: readonly string[];
}

/** The region imports nothing of the engine, so only this says that both speak of the same partners. */
describe("the partner profiles of the demo's region", async () => {
  const profiles = {
    mllp: loadProfiles(await loadConnector("hl7v2"), true),
    x12: loadProfiles(await loadConnector("x12"), true),
  };

  it.each(Object.values(senders))("$name is matched by what it writes", (sender) => {
    const profile = profiles[sender.protocol].get(sender.name) as Matching | undefined;
    if (sender.protocol === "mllp") {
      expect(profile?.match).toContainEqual({ application: sender.application, facility: sender.facility });
      expect(profile?.timezone).toBe(sender.zone);
    } else {
      expect(profile?.senders).toContain(sender.id);
      expect(profile?.receivers).toContain(sender.receiver);
    }
  });
});
