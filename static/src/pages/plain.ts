/** Pages that the server writes: forms and a few words. They need the site's look and nothing else. */
import "../css/plain.css";
