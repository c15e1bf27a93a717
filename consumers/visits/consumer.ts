import { consumer } from "../../engine/service/consumer.js";
import visits from "../../projections/visits/projection.js";

export default consumer({ name: "visits", project: [visits] });
