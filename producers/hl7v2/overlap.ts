import { isBound } from "./partner.js";
import { certificatesOf, type Profile } from "./profile.js";

/**
 * What two profiles both claim: a port, a certificate, or a header that is all that tells one of the two. Where both are
 * known by a port, a certificate or an address of their own, that tells them apart, whatever their headers are.
 */
export function overlapOf(one: Profile, other: Profile): string | undefined {
  if (one.port !== undefined && one.port === other.port) return `port ${one.port}`;
  const others = certificatesOf(other.certificate);
  const certificate = certificatesOf(one.certificate).find((name) => others.includes(name));
  if (certificate !== undefined) return `certificate ${certificate}`;
  if (isBound(one) && isBound(other)) return undefined;
  const both = one.match.find(({ application, facility }) =>
    other.match.some((match) => match.application === application && match.facility === facility),
  );
  return both && `match ${both.application ?? "(any)"}, ${both.facility ?? "(any)"}`;
}
