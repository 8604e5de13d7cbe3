import { Link } from 'wouter';
import { Page } from '../layout/page.tsx';
import { Empty } from '../parts/answer.tsx';

export function NotFoundPage() {
  return (
    <Page title="Page not found">
      <Empty title="There is no page at this address.">
        <p>It may have been mistyped, or come from an older version.</p>
        <Link className="button primary" href="/">
          Go to the overview
        </Link>
      </Empty>
    </Page>
  );
}
