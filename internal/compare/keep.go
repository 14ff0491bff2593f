package compare

// rest is how many entries of each list are left out.
type rest struct{ changed, others, added, removed, renamed int }

// Keep leaves the first rows of each list (0: all), and returns how many it took out.
func (r *Result) Keep(rows int) rest {
	return rest{keep(&r.Changed, rows), keep(&r.Others, rows), keep(&r.Added, rows), keep(&r.Removed, rows), keep(&r.Renamed, rows)}
}

func keep[T any](all *[]T, rows int) int {
	more := len(*all) - rows
	if rows == 0 || more <= 0 {
		return 0
	}
	*all = (*all)[:rows]
	return more
}
