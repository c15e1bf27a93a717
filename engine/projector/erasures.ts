import type { LaneEvent } from "./events.js";
import type { ProjectionLayout } from "./layout.js";

/** Events after which nothing restricted is known of their key, unless they leave it to somebody else. */
const erasing: ReadonlySet<string> = new Set(["PatientErased", "SubjectErased"]);

type Said = Pick<LaneEvent, "event"> & { readonly type?: string | undefined };

/**
 * Whether an event says that somebody was erased of whom its key was told once, and that it is another's by now. Then only
 * what was sealed for the one who was erased is gone: which that is, only the keys know, so the key is told anew.
 */
export const leavesToAnother = ({ type, event }: Said): boolean =>
  type === "SubjectErased" && (event as { readonly anothers?: boolean }).anothers === true;

/** Whether events of a type may take what is restricted out of the rows of a projection. */
export const mayErase = ({ readsSealed }: Pick<ProjectionLayout, "readsSealed">, type: string | null | undefined) =>
  readsSealed && typeof type === "string" && erasing.has(type);

/** Whether an event takes what is restricted out of the rows of its key. */
export const isErasure = (layout: Pick<ProjectionLayout, "readsSealed">, said: Said): boolean =>
  mayErase(layout, said.type) && !leavesToAnother(said);

/** Whether an event makes its key be told anew: it takes the place of others, or what others said is closed by now. */
export const tellsAnew = (layout: Pick<ProjectionLayout, "readsSealed">, event: LaneEvent): boolean =>
  event.origin !== undefined || (layout.readsSealed && leavesToAnother(event));
