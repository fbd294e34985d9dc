import { useEffect, useState } from "preact/hooks";
import { OVERVIEW, placeIn, type Place } from "./place.ts";

/** The place that the address of the page names. */
export function usePlace(): Place {
  const [place, go] = useState<Place>(OVERVIEW);
  useEffect(() => {
    const look = (): void => go((last) => placeIn(location.hash) ?? last);
    look();
    addEventListener("hashchange", look);
    return () => removeEventListener("hashchange", look);
  }, []);
  return place;
}
