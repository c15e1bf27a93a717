/** Words of which persons and places are made. Letters outside ASCII and a separator of HL7 are there on purpose. */
export const families = [
  "Abbott", "Alvarez", "Andersen", "Baptiste", "Becker", "Bergström", "Brennan", "Castañeda", "Chen", "Cohen",
  "D'Amore", "Delgado", "Dvořák", "Eze", "Fairchild", "Fischer", "Gagné", "García", "Gonçalves", "Haddad",
  "Hansen", "Hughes", "Ivanova", "Jørgensen", "Kaur", "Kowalski", "Łukasik", "Lefèvre", "Lindqvist", "MacLeod",
  "Martins", "McDermott", "Møller", "Müller", "Nakamura", "Núñez", "O'Brien", "Okafor", "Ólafsdóttir", "Patel",
  "Peña", "Pereira", "Quintero", "Rossi", "Schröder", "Silva", "Smith & Wells", "Sørensen", "Szabó", "Tanaka",
  "Thompson", "Underwood", "Vasquez", "Vogel", "Wagner", "Washington", "Weiß", "Whitaker", "Yilmaz", "Zhang",
] as const;

export const femaleNames = [
  "Ada", "Amélie", "Beatriz", "Carla", "Chloé", "Dawna", "Elena", "Fatima", "Gráinne", "Hanna", "Ingrid", "Inés",
  "Joan", "Keiko", "Leila", "Maja", "Nola", "Olga", "Priya", "Renée", "Sofía", "Tawnya", "Ursula", "Zoë",
] as const;

export const maleNames = [
  "Aron", "André", "Basil", "Björn", "Caleb", "Diego", "Emil", "François", "Gustav", "Hugo", "Ivan", "Jesús",
  "Karl", "Loyd", "Mário", "Noble", "Omar", "Pavel", "Quinn", "René", "Søren", "Tory", "Víctor", "Walker",
] as const;

export const streets = [
  "Ash Street", "Birch Lane", "Canal Road", "Dock Square", "Elm Arcade", "Ferry Course", "Garden Highlands",
  "Harbor Track", "Iron Route", "Juniper Terrace", "Kings Corner", "Lantern Meadow", "Mill Roadway", "North Quay",
] as const;

export const cities = [
  ["Boston", "02118"], ["Cambridge", "02139"], ["Lowell", "01852"], ["Quincy", "02169"], ["Salem", "01970"],
  ["Somerville", "02143"], ["Waltham", "02451"], ["Worcester", "01608"],
] as const;

export const doctors = [
  "1003000126^Care^Ann", "1003000134^Osei^Kwame", "1003000142^Lund^Greta", "1003000159^Marsh^Peter",
  "1003000167^Vega^Lucia", "1003000175^Stone^Helen",
] as const;

export const wards = ["MED", "SUR", "ICU", "CAR", "ORT", "NEU"] as const;

export const diagnoses = [
  ["I10", "Essential hypertension"], ["E119", "Type 2 diabetes"], ["J189", "Pneumonia"], ["S52501A", "Radius fracture"],
  ["K3580", "Acute appendicitis"], ["Z0000", "General examination"], ["R079", "Chest pain"],
] as const;

export const tests = [
  ["2345-7", "Glucose", "mg/dL", "70-99"], ["718-7", "Hemoglobin", "g/dL", "12.0-16.0"],
  ["2160-0", "Creatinine", "mg/dL", "0.6-1.3"], ["2951-2", "Sodium", "mmol/L", "136-145"],
  ["2823-3", "Potassium", "mmol/L", "3.5-5.1"], ["6690-2", "Leukocytes", "10*3/uL", "4.5-11.0"],
] as const;

export const procedures = ["99213", "99214", "99285", "80053", "85025", "71046", "93000", "36415", "99232"] as const;

const plain: Readonly<Record<string, string>> = {
  Ł: "L", Ó: "O", á: "a", è: "e", é: "e", ë: "e", í: "i", ñ: "n", ó: "o", ö: "o", ø: "o", ú: "u", ü: "u", ř: "r",
  ç: "c", ß: "ss",
};

/** A name in letters of ASCII only, as old systems and X12's basic character set keep it. */
export const toAscii = (text: string): string => text.replace(/[^\p{ASCII}]/gu, (letter) => plain[letter] ?? "?");

/** A name in letters of ISO 8859-1; what has no place there is written plain. */
export const toLatin1 = (text: string): string => text.replace(/[^\u0000-\u00ff]/gu, (letter) => plain[letter] ?? "?");
