import { createCompute, type DoctorReport, doctorReport } from "../compute/index.ts";

/** Starts the machinery that a fit with this many threads would use, and looks at it. */
export async function inspectMachinery(threads: number | undefined): Promise<DoctorReport> {
  const compute = await createCompute(threads === undefined ? {} : { threads });
  try {
    return await doctorReport(compute);
  } finally {
    await compute.close();
  }
}
