import { consumer } from "../../engine/service/consumer.js";
import claims from "../../projections/claims/projection.js";

export default consumer({ name: "claims", project: [claims] });
