import { consumer } from "../../engine/service/consumer.js";
import patients from "../../projections/patients/projection.js";

export default consumer({ name: "patients", project: [patients] });
