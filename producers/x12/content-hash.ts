export { contentHash } from "../../engine/intake/content-hash.js";
