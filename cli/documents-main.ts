import { writeDocuments } from "./documents.js";

/** Entry of `npm run docs`. */
await writeDocuments();
